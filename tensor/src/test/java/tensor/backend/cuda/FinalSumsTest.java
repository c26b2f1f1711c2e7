package tensor.backend.cuda;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import org.junit.jupiter.api.Test;
import tensor.DType;
import tensor.Rng;
import tensor.Shape;
import tensor.Tensor;
import tensor.backend.BinaryOp;
import tensor.backend.Conv2dParams;
import tensor.backend.Distribution;
import tensor.backend.NormInputs;
import tensor.backend.NormParams;
import tensor.backend.Recording;
import tensor.memory.Scope;

/** Gradients of biases, gains and shifts: their last stage is put off, and nobody can tell. */
class FinalSumsTest extends CudaTest {
    /** A norm whose gradient of the shift is the sum of dy over two images of three pixels. */
    private final class Norm {
        final NormParams p = new NormParams(1, 1e-5, false);
        final Tensor x = new Rng(1).draw(Distribution.NORMAL, backend, DType.F32, Shape.of(2, 3, 4));
        final Tensor gamma = x.empty(Shape.of(4));
        final Tensor mean = x.empty(Shape.of(2, 1));
        final Tensor rstd = mean.emptyLike();
        final Tensor dx = x.emptyLike();

        Norm() {
            backend.fill(gamma, 1);
            Tensor y = x.emptyLike();
            backend.groupNorm(p, null, inputs(x, gamma, gamma), y, mean, rstd);
        }

        /** The gradient of the shift where every dy is {@code value}: 6 times that. */
        Tensor backward(double value) {
            Tensor dgamma = gamma.emptyLike();
            Tensor dbeta = gamma.emptyLike();
            backward(value, dgamma, dbeta);
            return dbeta;
        }

        void backward(double value, Tensor dgamma, Tensor dbeta) {
            backend.groupNormBackward(
                    p,
                    null,
                    inputs(x, gamma, gamma),
                    mean,
                    rstd,
                    Tensor.full(backend, DType.F32, x.shape(), value),
                    new Tensor[0],
                    inputs(dx, dgamma, dbeta));
        }

        private NormInputs inputs(Tensor x, Tensor gamma, Tensor beta) {
            return new NormInputs(x, null, gamma, beta, null, null);
        }
    }

    private static float[] four(double value) {
        return new float[] {(float) value, (float) value, (float) value, (float) value};
    }

    @Test
    void moreThanOneLaunchTakes() {
        try (Scope scope = Scope.open("test")) {
            Norm norm = new Norm();
            Tensor[] shifts = new Tensor[170];
            for (int i = 0; i < shifts.length; i++) shifts[i] = norm.backward(i);
            Tensor sum = shifts[169].add(shifts[100]).add(shifts[0]); // asked for by calls
            assertArrayEquals(four(6 * 269), sum.toFloats());
            for (int i = 0; i < shifts.length; i++) assertArrayEquals(four(6 * i), shifts[i].toFloats());
        }
        assertEquals(0, backend.memory().live());
    }

    @Test
    void whatIsWrittenOverOrLetGoOfMeanwhile() {
        try (Scope scope = Scope.open("test")) {
            Norm norm = new Norm();
            Tensor shift = norm.backward(1);
            try (Scope inner = Scope.open("inner")) {
                norm.backward(2);
            }
            Tensor other = Tensor.full(backend, DType.F32, Shape.of(4), 9); // perhaps where that one was
            backend.fill(shift, 7);
            assertArrayEquals(four(7), shift.toFloats());
            assertArrayEquals(four(9), other.toFloats());
            norm.backward(3, shift, other);
            norm.backward(4, other, shift);
            assertArrayEquals(four(24), shift.toFloats(), "by the last call that writes");
        }
    }

    @Test
    void aBiasAndItsFiltersWhichAreMadeAside() {
        try (Scope scope = Scope.open("test")) {
            Tensor x = Tensor.full(backend, DType.F32, Shape.of(3, 32, 32, 8), 1);
            Tensor dy = Tensor.full(backend, DType.F32, Shape.of(3, 32, 32, 8), 0.5);
            Conv2dParams p = Conv2dParams.of(1, 1);
            for (int i = 0; i < 3; i++) {
                Tensor dw = x.empty(Shape.of(8, 3, 3, 8));
                Tensor dbias = x.empty(Shape.of(8));
                backend.conv2dBackwardWeights(p, x, dy, dw, dbias);
                backend.binary(BinaryOp.ADD, dbias, dbias, dbias);
                assertEquals(3 * 32 * 32, dbias.toFloats()[7]);
                assertEquals(0.5f * 3 * 31 * 31, dw.toFloats()[0]);
            }
        }
    }

    @Test
    void whatIsPutOffStaysOnItsSideOfARecording() {
        try (Scope scope = Scope.open("test")) {
            Norm norm = new Norm();
            Tensor before = norm.backward(1);
            Tensor inside = norm.gamma.emptyLike();
            Tensor gain = norm.gamma.emptyLike();
            backend.fill(inside, 5);
            Recording recording = backend.record(r -> {
                        try (Scope body = Scope.open("body")) {
                            norm.backward(2, gain, inside);
                        }
                    })
                    .orElseThrow();
            try (recording) {
                assertArrayEquals(four(6), before.toFloats());
                assertArrayEquals(four(5), inside.toFloats(), "not replayed yet");
                recording.replay(Recording.Numbers.NONE);
                assertArrayEquals(four(12), inside.toFloats());
                Tensor between = norm.backward(3);
                recording.replay(Recording.Numbers.NONE);
                assertArrayEquals(four(18), between.toFloats());
            }
            assertThrows(
                    IllegalArgumentException.class,
                    () -> backend.record(r -> {
                        try (Scope body = Scope.open("body")) {
                            norm.backward(2, gain, inside);
                            throw new IllegalArgumentException("a body that does not come to its end");
                        }
                    }));
            assertArrayEquals(four(12), inside.toFloats(), "what was refused is not taken for done");
        }
        assertEquals(0, backend.memory().live());
    }
}
