package tensor.backend.cuda;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.Test;
import tensor.DType;
import tensor.Shape;
import tensor.Tensor;
import tensor.backend.Conv2dParams;
import tensor.backend.Recording;
import tensor.backend.Region;
import tensor.memory.Scope;

/** Parts of a gradient that is computed aside are cut out of it when somebody asks for one, and nobody can tell. */
class CutsTest extends CudaTest {
    private static final float[] FIRST = {1, 2, 3, 4};
    private static final float[] SECOND = {5, 6, 7, 8, 9, 10};

    /** A gradient [5, 2] of the values 1 to 10, made aside. */
    private Tensor gradient() {
        Tensor x = Tensor.of(backend, Shape.of(5, 1, 1, 2), new float[] {1, 2, 3, 4, 5, 6, 7, 8, 9, 10});
        float[] identity = new float[25];
        for (int i = 0; i < 5; i++) identity[6 * i] = 1;
        Tensor dy = Tensor.of(backend, Shape.of(5, 1, 1, 5), identity);
        return gradient(x, dy);
    }

    /** dyᵀ x, made aside, for x [5, 1, 1, 2] and dy [5, 1, 1, 5]. */
    private Tensor gradient(Tensor x, Tensor dy) {
        Tensor dw = x.empty(Shape.of(5, 1, 1, 2));
        backend.conv2dBackwardWeights(Conv2dParams.of(1, 0), x, dy, dw, null);
        return dw.reshape(5, 2);
    }

    /** One value everywhere. */
    private Tensor full(double value, int... extents) {
        return Tensor.full(backend, DType.F32, Shape.of(extents), value);
    }

    /** Its first two rows and the others. */
    private Tensor[] cut(Tensor gradient) {
        Tensor[] parts = {gradient.empty(Shape.of(2, 2)), gradient.empty(Shape.of(3, 2))};
        cut(gradient, parts);
        return parts;
    }

    private void cut(Tensor gradient, Tensor... parts) {
        Region all = Region.of(gradient);
        backend.copy(
                new Region[] {all.slice(0, 0, 2), all.slice(0, 2, 3)},
                new Region[] {Region.of(parts[0]), Region.of(parts[1])});
    }

    private static void assertCut(Tensor... parts) {
        assertArrayEquals(FIRST, parts[0].toFloats());
        assertArrayEquals(SECOND, parts[1].toFloats());
    }

    @Test
    void theyAreMadeTogetherWhenOneIsAskedFor() {
        try (Scope scope = Scope.open("test")) {
            Tensor gradient = gradient();
            Tensor[] parts = cut(gradient);
            Tensor[] others = cut(gradient());
            assertTrue(gradient.buffer().isAwaited(), "the copies have not asked for it");
            parts[1].toFloats();
            assertFalse(gradient.buffer().isAwaited());
            assertCut(parts);
            assertCut(others);
        }
    }

    @Test
    void whatIsThereIsCopiedAtOnce() {
        try (Scope scope = Scope.open("test")) {
            Tensor gradient = gradient();
            gradient.toFloats();
            Tensor[] parts = cut(gradient);
            assertFalse(parts[0].buffer().isAwaited());
            assertCut(parts);
        }
    }

    @Test
    void theGradientMayBeOverwrittenOrReleased() {
        try (Scope scope = Scope.open("test")) {
            Tensor gradient = gradient();
            Tensor[] parts = cut(gradient);
            gradient.mul_(3);
            assertCut(parts);
            try (Scope inner = Scope.open("inner")) {
                parts = cut(gradient());
                for (Tensor part : parts) inner.keep(part);
            }
            for (int i = 0; i < 20; i++) gradient.fullLike(7);
            assertCut(parts);
        }
        assertEquals(0, backend.memory().live());
    }

    @Test
    void aPartMayBeOverwrittenCutAgainOrNeverRead() {
        try (Scope scope = Scope.open("test")) {
            Tensor[] parts = cut(gradient());
            parts[0].mul_(2);
            assertArrayEquals(new float[] {2, 4, 6, 8}, parts[0].toFloats());
            cut(gradient(), parts);
            cut(gradient(), parts);
            assertCut(parts);
            cut(gradient());
        }
        assertEquals(0, backend.memory().live());
    }

    /** Copies of one launch have no order. */
    @Test
    void whatIsCutMayBeCutAgain() {
        try (Scope scope = Scope.open("test")) {
            Tensor[] parts = cut(gradient());
            Tensor row = parts[1].empty(Shape.of(1, 2));
            backend.copy(new Region[] {Region.of(parts[1]).slice(0, 1, 1)}, new Region[] {Region.of(row)});
            assertFalse(parts[1].buffer().isAwaited());
            assertArrayEquals(new float[] {7, 8}, row.toFloats());
            Tensor gradient = gradient();
            Tensor others = gradient.emptyLike();
            Tensor[] again = cut(gradient);
            backend.copy(new Region[] {Region.of(gradient())}, new Region[] {Region.of(gradient)});
            assertFalse(again[0].buffer().isAwaited());
            backend.copy(new Region[] {Region.of(gradient())}, new Region[] {Region.of(others)});
            backend.copy(new Region[] {Region.of(gradient())}, new Region[] {Region.of(others)});
            assertCut(again);
        }
        assertEquals(0, backend.memory().live());
    }

    @Test
    void aRecordedCutIsPartOfTheRecording() {
        try (Scope scope = Scope.open("test")) {
            Tensor[] parts = cut(gradient());
            Tensor x = full(1, 5, 1, 1, 2);
            Tensor dy = full(1, 5, 1, 1, 5);
            Recording.Body body = recorder -> {
                try (Scope step = Scope.open("step")) {
                    cut(gradient(x, dy), parts);
                }
            };
            try (Recording recording = backend.record(body).orElseThrow()) {
                assertCut(parts);
                recording.replay(Recording.Numbers.NONE);
                assertArrayEquals(new float[] {5, 5, 5, 5}, parts[0].toFloats());
                Tensor[] outside = cut(gradient());
                recording.replay(Recording.Numbers.NONE);
                assertCut(outside);
            }
        }
        assertEquals(0, backend.memory().live());
    }

    /** The parts outlive it, the gradient does not; last stages of sums wait for it, too. */
    @Test
    void aRecordingThatFailsMakesNone() {
        try (Scope scope = Scope.open("test")) {
            Tensor x = full(1, 3, 32, 32, 8);
            Tensor w = full(1, 8, 3, 3, 8);
            Tensor bias = full(1, 8);
            Tensor[] parts = {full(5, 2), full(5, 6)};
            Tensor sum = full(5, 8);
            Conv2dParams p = Conv2dParams.of(1, 1);
            backend.conv2dBackwardWeights(p, x, x, w, bias); // which is searched for
            Tensor dw = w.emptyLike();
            assertThrows(
                    ArithmeticException.class,
                    () -> backend.record(recorder -> {
                        try (Scope body = Scope.open("body")) {
                            Tensor dbias = bias.emptyLike();
                            backend.conv2dBackwardWeights(p, x, x, w.emptyLike(), dbias);
                            Region all = Region.of(dbias);
                            backend.copy(
                                    new Region[] {all.slice(0, 0, 2), all.slice(0, 2, 6)},
                                    new Region[] {Region.of(parts[0]), Region.of(parts[1])});
                            backend.conv2dBackwardWeights(p, x, x, dw, sum);
                        }
                        throw new ArithmeticException("half-way");
                    }));
            for (Tensor untouched : new Tensor[] {parts[0], parts[1], sum})
                for (float value : untouched.toFloats()) assertEquals(5, value);
        }
        assertEquals(0, backend.memory().live());
    }

    @Test
    void aRecordingThatFailsLeavesNone() {
        try (Scope scope = Scope.open("test")) {
            Tensor x = full(1, 5, 1, 1, 2);
            Tensor dy = full(1, 5, 1, 1, 5);
            assertThrows(
                    ArithmeticException.class,
                    () -> backend.record(recorder -> {
                        try (Scope step = Scope.open("step")) {
                            cut(gradient(x, dy));
                            throw new ArithmeticException("half-way");
                        }
                    }));
            assertCut(cut(gradient()));
        }
        assertEquals(0, backend.memory().live());
    }
}
