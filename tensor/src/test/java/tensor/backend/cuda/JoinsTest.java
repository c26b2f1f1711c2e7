package tensor.backend.cuda;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;

import org.junit.jupiter.api.Test;
import tensor.DType;
import tensor.Rng;
import tensor.Shape;
import tensor.Tensor;
import tensor.backend.Conv2dParams;
import tensor.backend.NormInputs;
import tensor.backend.NormParams;
import tensor.backend.Recording;
import tensor.backend.Region;
import tensor.memory.Scope;

/** A tensor whose channels are joined is made only for who must see it in one place, and nobody sees a difference. */
class JoinsTest extends CudaTest {
    private static final int N = 2;
    private static final int SIDE = 4;

    private Rng rng = new Rng(7);

    private Tensor images(int channels) {
        return rng.normalLike(Tensor.empty(backend, DType.F32, Shape.of(N, SIDE, SIDE, channels)));
    }

    private Tensor joined(Tensor a, Tensor b) {
        int split = a.shape().get(3);
        int rest = b.shape().get(3);
        Tensor y = a.empty(a.shape().with(3, split + rest));
        backend.copy(
                new Region[] {Region.of(a), Region.of(b)},
                new Region[] {Region.of(y).slice(3, 0, split), Region.of(y).slice(3, split, rest)});
        return y;
    }

    /** The same tensor, made. */
    private static Tensor made(Tensor joint) {
        return joint.emptyLike().set_(joint);
    }

    @Test
    void itIsMadeWhenSomebodyReadsItOrWritesToAPart() {
        try (Scope scope = Scope.open("test")) {
            Tensor a = images(4);
            Tensor read = joined(a, images(8));
            Tensor kept = joined(a, images(8));
            assertNotNull(Joins.of(read));
            float[] before = a.toFloats();
            float[] values = read.toFloats();
            assertNull(Joins.of(read));
            a.mul_(3);
            assertNull(Joins.of(kept));
            for (int i = 0; i < before.length; i++) {
                assertEquals(before[i], values[i / 4 * 12 + i % 4]);
                assertEquals(before[i], kept.toFloats()[i / 4 * 12 + i % 4]);
            }
        }
        assertEquals(0, backend.memory().live());
    }

    @Test
    void itHoldsItsPartsForAsLongAsItIsThere() {
        try (Scope scope = Scope.open("test")) {
            Tensor y;
            float[] expected;
            try (Scope inner = Scope.open("inner")) {
                Tensor a = images(4);
                Tensor b = images(4);
                expected = made(joined(a, b)).toFloats();
                y = inner.keep(joined(a, b));
            }
            for (int i = 0; i < 20; i++) images(4);
            assertArrayEquals(expected, y.toFloats());
            try (Scope inner = Scope.open("unread")) {
                joined(images(4), images(4));
            }
        }
        assertEquals(0, backend.memory().live());
    }

    @Test
    void groupNormReadsTheParts() {
        try (Scope scope = Scope.open("test")) {
            Tensor x = joined(images(8), images(16));
            Tensor copy = made(joined(Joins.of(x).first(), Joins.of(x).second()));
            Tensor dy = images(24);
            assertArrayEquals(norm(copy, dy), norm(x, dy));
            assertNotNull(Joins.of(x));
        }
    }

    private void cut(Tensor whole, Tensor first, Tensor second) {
        int split = first.shape().get(3);
        Region all = Region.of(whole);
        backend.copy(
                new Region[] {
                    all.slice(3, 0, split), all.slice(3, split, second.shape().get(3))
                },
                new Region[] {Region.of(first), Region.of(second)});
    }

    @Test
    void whatIsReadAsideMayBeGivenAndOverwritten() {
        try (Scope scope = Scope.open("test")) {
            Tensor x = joined(images(4), images(8));
            Tensor dy = images(12);
            Tensor slope = images(3);
            Tensor dw = x.empty(Shape.of(3, 1, 1, 12));
            Tensor expected = dw.emptyLike();
            Tensor dx = gradient(x, dy);
            backend.conv2dBackwardWeights(Conv2dParams.of(1, 0), made(gradient(x, dy)), slope, expected, null);
            backend.conv2dBackwardWeights(Conv2dParams.of(1, 0), dx, slope, dw, null);
            Tensor first = dx.empty(dx.shape().with(3, 4));
            Tensor second = dx.empty(dx.shape().with(3, 8));
            cut(dx, first, second);
            backend.fill(first, 7);
            backend.fill(second, 7);
            assertArrayEquals(expected.toFloats(), dw.toFloats(), 1e-4f);
        }
    }

    @Test
    void aRecordingFindsWhatItKnowsWhereItWas() {
        try (Scope scope = Scope.open("test")) {
            Tensor a = images(4);
            Tensor b = images(8);
            Tensor dy = images(12);
            Tensor first = images(4);
            Tensor second = images(8);
            try (Recording recording =
                    backend.record(recorder -> backend.fill(first, 7)).orElseThrow()) {
                cut(gradient(joined(a, b), dy), first, second);
                recording.replay(Recording.Numbers.NONE);
                assertEquals(7, first.toFloats()[0]);
            }
            Tensor outside = a.empty(first.shape());
            try (Recording recording = backend.record(recorder -> {
                        try (Scope body = Scope.open("body")) {
                            cut(gradient(joined(a, b), dy), outside, a.empty(second.shape()));
                        }
                    })
                    .orElseThrow()) {
                cut(gradient(joined(a, b), dy), first, second);
                recording.replay(Recording.Numbers.NONE);
                assertArrayEquals(first.toFloats(), outside.toFloats());
            }
        }
    }

    @Test
    void aJointTensorIsMadeWhenItIsJoinedItself() {
        try (Scope scope = Scope.open("test")) {
            Tensor a = images(8);
            Tensor b = images(4);
            Tensor c = images(12);
            Tensor dy = images(24);
            Tensor copy = made(joined(made(joined(a, b)), c));
            Tensor x = joined(joined(a, b), c);
            assertArrayEquals(norm(copy, dy), norm(x, dy));
            assertNotNull(Joins.of(x));
            assertArrayEquals(copy.toFloats(), x.toFloats());
            assertArrayEquals(copy.toFloats(), joined(joined(a, b), c).toFloats());
        }
    }

    @Test
    void imagesMayBeReadAsLists() {
        try (Scope scope = Scope.open("test")) {
            Tensor x = joined(images(8), images(16));
            Tensor copy = made(joined(Joins.of(x).first(), Joins.of(x).second()));
            Tensor dy = images(24);
            Shape list = Shape.of(N, SIDE * SIDE, 24);
            assertArrayEquals(norm(copy, dy), norm(x.reshape(list), dy.reshape(list)));
        }
    }

    @Test
    void theGradientIsWrittenInPartsAndCutByGivingThem() {
        try (Scope scope = Scope.open("test")) {
            Tensor x = joined(images(8), images(16));
            Tensor dy = images(24);
            Tensor copy = made(joined(Joins.of(x).first(), Joins.of(x).second()));
            float[] whole = norm(copy, dy);
            Tensor dx = gradient(x, dy);
            assertNotNull(Joins.of(dx));
            Tensor first = dx.empty(dx.shape().with(3, 8));
            Tensor second = dx.empty(dx.shape().with(3, 16));
            Region all = Region.of(dx);
            backend.copy(
                    new Region[] {all.slice(3, 8, 16), all.slice(3, 0, 8)},
                    new Region[] {Region.of(second), Region.of(first)});
            assertNull(Joins.of(dx), "cut the other way round, it is made");
            dx = gradient(x, dy);
            cut(dx, first, second);
            assertNull(Joins.of(dx), "and so it is for tensors that somebody may know");
            dx = gradient(x, dy);
            first = first.emptyLike();
            second = second.emptyLike();
            long[] blocks = {first.buffer().address(), second.buffer().address()};
            cut(dx, first, second);
            assertNotNull(Joins.of(dx));
            assertNotEquals(blocks[0], first.buffer().address());
            assertNotEquals(blocks[1], second.buffer().address());
            for (int i = 0; i < whole.length; i++)
                assertEquals(
                        whole[i],
                        i % 24 < 8
                                ? first.toFloats()[i / 24 * 8 + i % 24]
                                : second.toFloats()[i / 24 * 16 + i % 24 - 8]);
            first.mul_(2);
            assertNull(Joins.of(dx));
            assertArrayEquals(whole, dx.toFloats());
            gradient(x, dy); // nobody reads it
        }
        assertEquals(0, backend.memory().live());
    }

    /** So large an image is cut into slices, and the gradient of the offset is summed from all of dx. */
    @Test
    void anOffsetOfALargeImageMayBeDifferentiated() {
        Shape large = Shape.of(1, 64, 64, 8);
        try (Scope scope = Scope.open("test")) {
            Tensor x = joined(
                    rng.normalLike(Tensor.empty(backend, DType.F32, large)),
                    rng.normalLike(Tensor.empty(backend, DType.F32, large)));
            Tensor copy = made(joined(Joins.of(x).first(), Joins.of(x).second()));
            Tensor dy = rng.normalLike(x);
            Tensor offset = rng.normalLike(x.empty(Shape.of(1, 16)));
            float[][] expected = offsetNorm(copy, offset, dy);
            float[][] found = offsetNorm(x, offset, dy);
            for (int i = 0; i < 2; i++) assertArrayEquals(expected[i], found[i]);
        }
    }

    /** dx and doffset. */
    private float[][] offsetNorm(Tensor x, Tensor offset, Tensor dy) {
        NormParams p = new NormParams(1, 1e-5, true);
        Tensor mean = x.empty(Shape.of(1, 1));
        Tensor rstd = mean.emptyLike();
        Tensor dx = x.emptyLike();
        Tensor doffset = offset.emptyLike();
        backend.groupNorm(p, null, new NormInputs(x, offset, null, null, null, null), x.emptyLike(), mean, rstd);
        Tensor[] before = {};
        backend.groupNormBackward(
                p,
                null,
                new NormInputs(x, offset, null, null, null, null),
                mean,
                rstd,
                dy,
                before,
                new NormInputs(dx, doffset, null, null, null, null));
        return new float[][] {dx.toFloats(), doffset.toFloats()};
    }

    /** dx, after y has been made of it. */
    private float[] norm(Tensor x, Tensor dy) {
        return gradient(x, dy).toFloats();
    }

    private Tensor gradient(Tensor x, Tensor dy) {
        NormParams p = new NormParams(6, 1e-5, true);
        Tensor y = x.emptyLike();
        Tensor mean = x.empty(Shape.of(N, 6));
        Tensor rstd = x.empty(Shape.of(N, 6));
        Tensor dx = x.emptyLike();
        backend.groupNorm(p, null, NormInputs.of(x), y, mean, rstd);
        Tensor[] before = {dy, dy};
        backend.groupNormBackward(p, null, NormInputs.of(x), mean, rstd, y.add(dy), before, NormInputs.of(dx));
        return dx;
    }

    @Test
    void aProductAndItsWeightsReadTheParts() {
        try (Scope scope = Scope.open("test")) {
            Tensor x = joined(images(8), images(4));
            Tensor copy = made(joined(Joins.of(x).first(), Joins.of(x).second()));
            Tensor w = rng.normalLike(Tensor.empty(backend, DType.F32, Shape.of(5, 1, 1, 12)));
            Conv2dParams p = Conv2dParams.of(1, 0);
            Tensor y = x.empty(Shape.of(N, SIDE, SIDE, 5));
            Tensor expected = y.emptyLike();
            Tensor dw = w.emptyLike();
            Tensor expectedDw = w.emptyLike();
            backend.conv2d(p, x, w, null, null, y);
            backend.conv2d(p, copy, w, null, null, expected);
            backend.conv2dBackwardWeights(p, x, y, dw, null);
            backend.conv2dBackwardWeights(p, copy, y, expectedDw, null);
            assertNotNull(Joins.of(x));
            assertArrayEquals(expected.toFloats(), y.toFloats(), 1e-5f);
            assertArrayEquals(expectedDw.toFloats(), dw.toFloats(), 1e-4f);
        }
    }

    @Test
    void anotherThreadMayBeTheFirstToAsk() throws InterruptedException {
        try (Scope scope = Scope.open("test")) {
            Tensor a = images(4);
            Tensor b = images(4);
            float[] expected = made(joined(a, b)).toFloats();
            Tensor y = joined(a, b);
            float[][] found = new float[1][];
            Thread thread = new Thread(() -> found[0] = y.toFloats());
            thread.start();
            thread.join();
            assertArrayEquals(expected, found[0]);
        }
    }

    @Test
    void aReplayMayWriteToAPart() {
        try (Scope scope = Scope.open("test")) {
            Tensor a = images(4);
            Tensor b = images(4);
            try (Recording recording =
                    backend.record(recorder -> backend.fill(a, 7)).orElseThrow()) {
                float[] expected = made(joined(a, b)).toFloats();
                Tensor y = joined(a, b);
                recording.replay(Recording.Numbers.NONE);
                assertArrayEquals(expected, y.toFloats());
            }
        }
    }

    @Test
    void aRecordingThatFailsLeavesATensorAsItWas() {
        try (Scope scope = Scope.open("test")) {
            Tensor a = images(4);
            Tensor y = images(8);
            float[] before = y.toFloats();
            assertThrows(
                    ArithmeticException.class,
                    () -> backend.record(recorder -> {
                        try (Scope body = Scope.open("body")) {
                            Tensor b = a.add(1);
                            backend.copy(new Region[] {Region.of(b), Region.of(a)}, new Region[] {
                                Region.of(y).slice(3, 0, 4), Region.of(y).slice(3, 4, 4)
                            });
                            throw new ArithmeticException("half-way");
                        }
                    }));
            assertArrayEquals(before, y.toFloats());
        }
        assertEquals(0, backend.memory().live());
    }

    @Test
    void nothingThatIsPutOffCrossesTheBordersOfARecording() {
        try (Scope scope = Scope.open("test")) {
            Tensor before = joined(images(4), images(4));
            float[] expected = made(joined(
                            Joins.of(before).first(), Joins.of(before).second()))
                    .toFloats();
            Tensor[] inside = new Tensor[1];
            Tensor a = images(4);
            Recording.Body body = recorder -> inside[0] = joined(a, a.add(1));
            try (Scope warm = Scope.open("warm")) {
                body.run(null);
            }
            Recording recording;
            try (Scope step = Scope.open("step")) {
                recording = backend.record(body).orElseThrow();
                assertNull(Joins.of(before));
                assertNull(Joins.of(inside[0]));
                recording.replay(new Recording.Numbers(0, 0, 1, 0));
                assertEquals(a.toFloats()[0] + 1, inside[0].toFloats()[4]);
                assertArrayEquals(expected, before.toFloats());
            }
            recording.close();
        }
    }
}
