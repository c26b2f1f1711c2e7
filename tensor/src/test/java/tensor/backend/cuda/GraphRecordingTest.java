package tensor.backend.cuda;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import com.sun.management.ThreadMXBean;
import java.lang.management.ManagementFactory;
import java.util.function.LongConsumer;
import org.junit.jupiter.api.Test;
import tensor.DType;
import tensor.Rng;
import tensor.Shape;
import tensor.Tensor;
import tensor.backend.AdamParams;
import tensor.backend.AttentionParams;
import tensor.backend.Conv2dParams;
import tensor.backend.Distribution;
import tensor.backend.Mask;
import tensor.backend.NormInputs;
import tensor.backend.NormParams;
import tensor.backend.Recording;
import tensor.backend.Region;
import tensor.memory.Scope;

class GraphRecordingTest extends CudaTest {
    private Recording record(Recording.Body body) {
        return backend.record(body).orElseThrow();
    }

    /** x ← 2 x, which takes as much memory as x has. */
    private static Recording.Body doubling(Tensor x) {
        return r -> {
            try (Scope step = Scope.open("step")) {
                x.set_(x.add(x));
            }
        };
    }

    /** Leaves room for so many more of x. */
    private static void fillTheDeviceBut(int spares, Scope scope, Tensor x) {
        try (Scope spare = Scope.open("spare")) {
            for (int i = 0; i < spares; i++) x.emptyLike();
            for (int size = 1 << 24; size >= 1 << 17; size >>= 1) CudaTest.fill(scope, x, size);
        }
    }

    @Test
    void whatIsRecordedIsDoneWhenReplayedAndReadsItsMemoryAnew() {
        try (Scope scope = Scope.open("test")) {
            Tensor x = Tensor.of(backend, Shape.of(3), 1, 2, 3);
            Tensor y = Tensor.of(backend, Shape.of(3), 7, 7, 7);
            try (Recording twice = record(r -> {
                try (Scope body = Scope.open("body")) {
                    y.set_(x.add(x));
                }
            })) {
                assertArrayEquals(new float[] {7, 7, 7}, y.toFloats(), "nothing was done yet");
                twice.replay(Recording.Numbers.NONE);
                assertArrayEquals(new float[] {2, 4, 6}, y.toFloats());
                backend.upload(new float[] {-1, 0, 1}, x);
                twice.replay(Recording.Numbers.NONE);
                assertArrayEquals(new float[] {-2, 0, 2}, y.toFloats());
            }
        }
        assertEquals(0, backend.memory().live());
    }

    @Test
    void drawsFollowThePositionOfTheReplay() {
        try (Scope scope = Scope.open("test")) {
            Tensor y = Tensor.full(backend, DType.F32, Shape.of(2, 5), 0);
            Rng rng = new Rng(3, 400);
            try (Recording drawing = record(r -> {
                try (Scope body = Scope.open("body")) {
                    rng.draw(Distribution.NORMAL, backend, DType.F32, Shape.of(11)); // 12 positions
                    y.set_(rng.draw(Distribution.UNIFORM, backend, DType.F32, Shape.of(2, 5)));
                }
            })) {
                for (long position : new long[] {400, 8000, 0}) {
                    drawing.replay(new Recording.Numbers(position, 0, 1, 0));
                    Tensor expected =
                            new Rng(3, position + 12).draw(Distribution.UNIFORM, backend, DType.F32, Shape.of(2, 5));
                    assertArrayEquals(expected.toFloats(), y.toFloats(), "from " + position);
                }
            }
        }
    }

    /** What one has lent, another's replay does not ask for; and it may outlive the one that has lent it. */
    @Test
    void oneRecordingIsReplayedWhileWhatAnotherHasLentIsInUse() {
        try (Scope scope = Scope.open("test")) {
            Tensor x = Tensor.full(backend, DType.F32, Shape.of(1 << 20), 1);
            Recording.Body body = doubling(x);
            fillTheDeviceBut(2, scope, x);
            try (Recording first = record(body);
                    Recording second = record(body);
                    Scope call = Scope.open("call")) {
                Tensor y = x.empty(Shape.of(1 << 19));
                backend.fill(y, 7);
                second.replay(Recording.Numbers.NONE);
                assertEquals(2, x.toFloats()[77]);
                assertEquals(7, y.toFloats()[77]);
                assertThrows(IllegalStateException.class, () -> first.replay(Recording.Numbers.NONE));
            }
            Recording lender = record(body);
            try (Scope call = Scope.open("call")) {
                Tensor y = x.empty(Shape.of(1 << 19));
                lender.close();
                backend.fill(y, 7);
                assertEquals(7, y.toFloats()[77]);
            }
        }
        assertEquals(0, backend.memory().live());
    }

    @Test
    void masksOfANormFollowThePositionOfTheReplay() {
        try (Scope scope = Scope.open("test")) {
            Shape shape = Shape.of(1, 6, 8);
            Tensor x = new Rng(1).draw(Distribution.NORMAL, backend, DType.F32, shape);
            Tensor mean = x.empty(Shape.of(1, 2));
            Tensor rstd = mean.emptyLike();
            Tensor y = x.emptyLike();
            Tensor dx = x.emptyLike();
            NormParams p = new NormParams(2, 1e-5, true);
            LongConsumer calls = position -> {
                Mask mask = new Mask(0.75, 3, position);
                backend.groupNorm(p, mask, NormInputs.of(x), y, mean, rstd);
                backend.groupNormBackward(p, mask, NormInputs.of(x), mean, rstd, x, new Tensor[0], NormInputs.of(dx));
            };
            Rng rng = new Rng(3, 400);
            try (Recording recording = record(r -> {
                try (Scope body = Scope.open("body")) {
                    rng.draw(Distribution.NORMAL, backend, DType.F32, Shape.of(11)); // 12 positions
                    calls.accept(rng.skip(shape.size()));
                }
            })) {
                for (long position : new long[] {400, 8000, 0}) {
                    calls.accept(position + 12);
                    float[][] expected = {y.toFloats(), dx.toFloats()};
                    backend.fill(y, 7);
                    backend.fill(dx, 7);
                    recording.replay(new Recording.Numbers(position, 0, 1, 0));
                    assertArrayEquals(expected[0], y.toFloats(), "from " + position);
                    assertArrayEquals(expected[1], dx.toFloats(), "from " + position);
                }
            }
        }
    }

    @Test
    void anUpdateIsTheEagerOneAndIsLeftOutWhenTheGradientIsNotFinite() {
        try (Scope scope = Scope.open("test")) {
            Tensor[] w = {Tensor.of(backend, Shape.of(2), 1, 2)};
            Tensor[] dw = {Tensor.of(backend, Shape.of(2), 30, -40)}; // norm 50
            Tensor[] m = {Tensor.full(backend, DType.F32, Shape.of(2), 0)};
            Tensor[] v = {Tensor.full(backend, DType.F32, Shape.of(2), 0)};
            Tensor[] average = {Tensor.of(backend, Shape.of(2), 0, 0)};
            Tensor loss = Tensor.of(backend, Shape.of(1), 1);
            AdamParams p = new AdamParams(0, 0.9, 0.999, 1e-8, 0, false, 1, 1);
            try (Recording update = record(r -> r.update(p, 5, loss, w, dw, m, v, average))) {
                Recording.Replay first = update.replay(new Recording.Numbers(0, 0.25, 1, 0.5));
                assertEquals(50, first.norm());
                // the first step of Adam moves by the learning rate, against the sign of the gradient
                assertArrayEquals(new float[] {0.75f, 2.25f}, w[0].toFloats(), 1e-5f);
                assertArrayEquals(new float[] {0.375f, 1.125f}, average[0].toFloats(), 1e-5f);
                assertArrayEquals(new float[] {0.3f, -0.4f}, m[0].toFloats(), 1e-6f, "clipped to norm 5, times 0.1");
                float[] before = w[0].toFloats();
                float[] averaged = average[0].toFloats();
                backend.upload(new float[] {Float.NaN, 1}, dw[0]);
                Recording.Replay bad = update.replay(new Recording.Numbers(0, 0.25, 2, 0.5));
                assertEquals(50, first.norm(), "that of its own replay");
                backend.upload(new float[] {1, 1}, dw[0]);
                Recording.Replay after = update.replay(new Recording.Numbers(0, 0.25, 2, 0.5));
                assertTrue(Double.isNaN(bad.norm()));
                assertThrows(IllegalStateException.class, first::norm, "two were begun after it");
                assertEquals(Math.sqrt(2), after.norm(), 1e-12);
                assertArrayEquals(before, w[0].toFloats(), "begun before the host had heard of the bad one");
                backend.fill(loss, Double.POSITIVE_INFINITY);
                update.replay(new Recording.Numbers(0, 0.25, 2, 0.5)).norm();
                assertArrayEquals(before, w[0].toFloats());
                assertArrayEquals(averaged, average[0].toFloats());
                backend.fill(loss, 1);
                update.replay(new Recording.Numbers(0, 0.25, 2, 0.5));
                assertTrue(w[0].toFloats()[0] != before[0], "the host knows of both");
                Recording.Replay good = update.replay(new Recording.Numbers(0, 0.25, 3, 0.5));
                float[] moved = w[0].toFloats();
                backend.fill(loss, Double.NaN);
                update.replay(new Recording.Numbers(0, 0.25, 4, 0.5)).norm();
                good.norm(); // of before the third
                backend.fill(loss, 1);
                update.replay(new Recording.Numbers(0, 0.25, 4, 0.5));
                assertTrue(w[0].toFloats()[0] != moved[0], "nor does it forget one");
            }
        }
    }

    /** Of what calls make (pointers, geometries, tensors, arrays), a replay makes nothing; itself, and a few iterators. */
    @Test
    void aReplayMakesHardlyAnyObjects() {
        ThreadMXBean threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
        assumeTrue(threads.isThreadAllocatedMemorySupported());
        try (Scope scope = Scope.open("test")) {
            Tensor x = Tensor.full(backend, DType.F32, Shape.of(2, 8, 8, 4), 1);
            Tensor table = Tensor.full(backend, DType.F32, Shape.of(3, 4), 1);
            Tensor index = Tensor.of(backend, Shape.of(2), 0, 2);
            Tensor[] w = {Tensor.full(backend, DType.F32, Shape.of(4, 3, 3, 4), 0.1)};
            Tensor[] dw = {w[0].emptyLike()};
            Tensor[] m = {Tensor.full(backend, DType.F32, w[0].shape(), 0)};
            Tensor[] v = {Tensor.full(backend, DType.F32, w[0].shape(), 0)};
            Tensor loss = x.empty(Shape.of(1));
            AdamParams p = new AdamParams(0, 0.9, 0.999, 1e-8, 0, false, 1, 1);
            Runnable body = () -> {
                try (Scope calls = Scope.open("body")) {
                    Conv2dParams same = Conv2dParams.of(1, 1);
                    Tensor y = x.emptyLike();
                    backend.conv2d(same, x, w[0], null, null, y);
                    backend.conv2dBackwardWeights(same, x, y, dw[0], null);
                    backend.gather(table, index, x.empty(Shape.of(2, 4)));
                    loss.set_(y.mul(new Rng(1).normalLike(y)).sum().reshape(1));
                }
            };
            body.run(); // the search for algorithms
            try (Recording step = record(r -> {
                body.run();
                r.update(p, 1, loss, w, dw, m, v, null);
                r.send(loss);
            })) {
                Recording.Numbers now = new Recording.Numbers(0, 1e-3, 1, 0);
                long before = 0;
                for (int i = -50; i < 100; i++) {
                    if (i == 0) before = threads.getCurrentThreadAllocatedBytes();
                    step.replay(now).norm();
                }
                long each = (threads.getCurrentThreadAllocatedBytes() - before) / 100;
                assertTrue(each <= 256, each + " bytes for each replay");
            }
        }
    }

    @Test
    void aReplayIsReadWhileTheNextIsUnderWay() {
        try (Scope scope = Scope.open("test")) {
            Tensor x = Tensor.of(backend, Shape.of(2), 1, 3);
            try (Recording doubling = record(r -> {
                r.send(x);
                try (Scope body = Scope.open("body")) {
                    x.set_(x.add(x));
                }
            })) {
                Recording.Replay before = doubling.replay(Recording.Numbers.NONE);
                for (int i = 1; i < 5; i++) {
                    Recording.Replay next = doubling.replay(Recording.Numbers.NONE);
                    assertArrayEquals(new float[] {1 << i, 3 << i}, before.values());
                    before = next;
                }
                assertArrayEquals(new float[] {32, 96}, before.values());
                assertArrayEquals(new float[] {32, 96}, x.toFloats());
            }
        }
    }

    /** An attention that keeps its probabilities beside y. */
    private final class Attending {
        final AttentionParams p = new AttentionParams(1, 0.5);
        final Rng rng = new Rng(1);
        final Tensor qkv = rng.draw(Distribution.NORMAL, backend, DType.F32, Shape.of(1, 4, 12));
        final Tensor y = Tensor.empty(backend, DType.F32, Shape.of(1, 4, 4));
        final Tensor dy = rng.normalLike(y);
        final Tensor logSum = y.empty(Shape.of(1, 1, 4));
        final Tensor dqkv = qkv.emptyLike();

        void drawAnew() {
            qkv.set_(rng.normalLike(qkv));
        }

        void forward() {
            backend.attention(p, qkv, y, logSum);
        }

        void backward() {
            backend.attentionBackward(p, qkv, y, logSum, dy, dqkv);
        }
    }

    @Test
    void whatIsKeptForAGradientStaysOnItsSideOfARecording() {
        try (Scope scope = Scope.open("test")) {
            Attending a = new Attending();
            a.forward();
            try (Recording forward = record(r -> a.forward());
                    Recording backward = record(r -> a.backward())) {
                a.drawAnew();
                forward.replay(Recording.Numbers.NONE);
                backward.replay(Recording.Numbers.NONE);
                float[] replayed = a.dqkv.toFloats();
                a.forward();
                a.backward();
                assertArrayEquals(a.dqkv.toFloats(), replayed, 1e-6f);
            }

            Conv2dParams enlarging = Conv2dParams.of(1, 1).enlarging(2);
            Tensor x = Tensor.full(backend, DType.F32, Shape.of(1, 8, 8, 1), 1);
            Tensor slope = Tensor.full(backend, DType.F32, Shape.of(1, 16, 16, 1), 1);
            Tensor dw = x.empty(Shape.of(1, 3, 3, 1));
            backend.conv2dBackwardWeights(enlarging, x, slope, dw, null);
            try (Recording weights = record(r -> backend.conv2dBackwardWeights(enlarging, x, slope, dw, null))) {
                weights.replay(Recording.Numbers.NONE);
                assertEquals(256, dw.toFloats()[4]);
            }
        }
        assertEquals(0, backend.memory().live());
    }

    /** A joint tensor holds the parts that it is still to be made of, and a call aside what it reads. */
    @Test
    void whatOthersStillReadOfARecordingDoesNotKeepItOpen() {
        try (Scope scope = Scope.open("test")) {
            Tensor x = Tensor.full(backend, DType.F32, Shape.of(1, 2, 2, 4), 1);
            Tensor joint = x.empty(x.shape().with(3, 8));
            Tensor dw = x.empty(Shape.of(4, 1, 1, 4));
            Tensor[] made = new Tensor[1];
            inner(r -> made[0] = x.add(x), made, joint, x, dw).close();
            assertEquals(2, joint.toFloats()[0]);
            assertEquals(8, dw.toFloats()[0]);
        }
        assertEquals(0, backend.memory().live());
    }

    /** Replayed once; what it makes is joined, read aside and released. */
    private Recording inner(Recording.Body body, Tensor[] made, Tensor joint, Tensor x, Tensor dw) {
        try (Scope scope = Scope.open("inner")) {
            Recording recording = record(body);
            recording.replay(Recording.Numbers.NONE);
            backend.copy(new Region[] {Region.of(made[0]), Region.of(x)}, new Region[] {
                Region.of(joint).slice(3, 0, 4), Region.of(joint).slice(3, 4, 4)
            });
            backend.conv2dBackwardWeights(Conv2dParams.of(1, 0), made[0], x, dw, null);
            return recording;
        }
    }

    @Test
    void whatIsKeptOfATensorIsOldOnceAReplayHasWrittenIt() {
        try (Scope scope = Scope.open("test")) {
            Attending a = new Attending();
            try (Recording forward = record(r -> a.forward())) {
                a.forward();
                a.drawAnew();
                forward.replay(Recording.Numbers.NONE);
                a.backward();
                float[] found = a.dqkv.toFloats();
                a.forward();
                a.backward();
                assertArrayEquals(a.dqkv.toFloats(), found, 1e-6f);
            }
        }
    }

    @Test
    void theMemoryOfTheStepsBeforeIsThereForTheRecording() {
        try (Scope scope = Scope.open("test")) {
            Tensor x = Tensor.full(backend, DType.F32, Shape.of(1 << 20), 1);
            Recording.Body body = doubling(x);
            body.run(null);
            assertTrue(backend.memory().reserved() > backend.memory().live());
            try (Recording recording = record(body)) {
                assertEquals(backend.memory().live(), backend.memory().reserved());
                recording.replay(Recording.Numbers.NONE);
                assertEquals(4, x.toFloats()[77]);
            }
        }
    }

    /** As the last batch of an epoch, which is smaller than the one that has been recorded. */
    @Test
    void whatARecordingHasFreeIsLentBetweenReplaysWhereTheDeviceIsFull() {
        try (Scope scope = Scope.open("test")) {
            Tensor x = Tensor.full(backend, DType.F32, Shape.of(1 << 20), 1);
            Recording.Body body = doubling(x);
            fillTheDeviceBut(1, scope, x);
            try (Recording recording = record(body)) {
                for (int i = 0; i < 3; i++) {
                    recording.replay(Recording.Numbers.NONE);
                    try (Scope call = Scope.open("call")) {
                        Tensor y = x.empty(Shape.of(1 << 19)); // half of what lies there free
                        backend.fill(y, 7);
                        assertEquals(7, y.toFloats()[77]);
                        assertThrows(OutOfMemoryError.class, y::emptyLike, "it is lent once");
                    }
                }
                assertEquals(8, x.toFloats()[77]);
                try (Scope call = Scope.open("call")) {
                    x.empty(Shape.of(1 << 19));
                    IllegalStateException e =
                            assertThrows(IllegalStateException.class, () -> recording.replay(Recording.Numbers.NONE));
                    assertTrue(e.getMessage().contains("outlive the calls between two replays"), e.getMessage());
                }
                recording.replay(Recording.Numbers.NONE);
                assertEquals(16, x.toFloats()[77]);
            }
        }
        assertEquals(0, backend.memory().live());
    }

    @Test
    void whatCannotBeRecordedIsRefusedAndTheBackendGoesOn() {
        try (Scope scope = Scope.open("test")) {
            Tensor x = Tensor.full(backend, DType.F32, Shape.of(1, 3, 3, 2), 1);
            assertRefused("reading a tensor cannot be recorded", r -> x.toFloats());
            assertRefused("an upload cannot be recorded", r -> Tensor.of(backend, Shape.of(1), 1));
            assertRefused("the first convolution of a shape cannot be recorded", r -> {
                try (Scope body = Scope.open("body")) {
                    Tensor w = Tensor.full(backend, DType.F32, Shape.of(17, 3, 3, 2), 1);
                    backend.conv2d(Conv2dParams.of(1, 1), x, w, null, null, x.empty(Shape.of(1, 3, 3, 17)));
                }
            });
            Tensor[] w = {x};
            Tensor[] dw = {x.fullLike(1)};
            Tensor[] m = {x.fullLike(0)};
            Tensor[] v = {x.fullLike(0)};
            AdamParams p = new AdamParams(0.5, 0.9, 0.999, 1e-8, 0, false, 1, 1);
            assertRefused("an update that is not the recorder's cannot be recorded", r -> backend.adam(p, w, dw, m, v));
            assertRefused(
                    "an update that is not the recorder's cannot be recorded",
                    r -> backend.exponentialAverage(0.5, w, dw));
            assertRefused("reading a norm cannot be recorded", r -> backend.sumOfSquares(dw));
            assertRefused("a second update cannot be recorded", r -> {
                r.update(p, 0, null, w, dw, m, v, null);
                r.update(p, 0, null, dw, w, m, v, null);
            });
            assertRefused("a second tensor cannot be sent", r -> {
                r.send(x);
                r.send(x);
            });
            assertEquals(18, backend.sumOfSquares(dw), "what was refused is not taken for done");
            assertRefused("another recording cannot be recorded", r -> record(inner -> backend.fill(x, 2)));
            try (Recording other = record(r -> backend.fill(x, 2))) {
                Recording.Replay replay = other.replay(Recording.Numbers.NONE);
                assertRefused("reading what a replay has sent cannot be recorded", r -> replay.norm());
                backend.fill(x, 1);
            }
            assertEquals(18, x.sum().item());
        }
    }

    private void assertRefused(String message, Recording.Body body) {
        String found = assertThrows(
                        IllegalStateException.class,
                        () -> backend.record(r -> {
                            try (Scope scope = Scope.open("refused")) {
                                body.run(r);
                            }
                        }))
                .getMessage();
        assertTrue(found.startsWith(message), found);
    }
}
