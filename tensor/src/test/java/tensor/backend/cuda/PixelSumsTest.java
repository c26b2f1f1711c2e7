package tensor.backend.cuda;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertNull;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
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

/** Gradients of biases are made of what group norm has left with a gradient, and are the sums of its pixels. */
class PixelSumsTest extends CudaTest {
    private static final Conv2dParams CONVOLUTION = Conv2dParams.of(1, 0);

    private Rng rng = new Rng(7);

    private Tensor images(Shape shape) {
        return rng.normalLike(Tensor.empty(backend, DType.F32, shape));
    }

    /** dx of a norm over x, to which {@code before} is added; an offset and its gradient may be {@code null}. */
    private Tensor gradient(Tensor x, Tensor offset, Tensor doffset, Tensor... before) {
        int images = x.shape().get(0);
        NormParams p = new NormParams(2, 1e-5, true);
        Tensor mean = x.empty(Shape.of(images, 2));
        Tensor rstd = mean.emptyLike();
        Tensor dx = x.emptyLike();
        NormInputs in = new NormInputs(x, offset, null, null, null, null);
        NormInputs d = new NormInputs(dx, doffset, null, null, null, null);
        backend.groupNorm(p, null, in, x.emptyLike(), mean, rstd);
        backend.groupNormBackward(p, null, in, mean, rstd, images(x.shape()), before, d);
        return dx;
    }

    /** The gradient of the bias of a convolution, as the backend makes it. */
    private float[] dbias(Conv2dParams p, Tensor dy) {
        int side = dy.shape().get(1) / p.enlarge();
        int filter = p.enlarge() == 1 ? 1 : 3;
        int k = dy.shape().get(3);
        Tensor x = images(Shape.of(dy.shape().get(0), side, side, 4));
        Tensor dbias = x.empty(Shape.of(k));
        backend.conv2dBackwardWeights(p, x, dy, x.empty(Shape.of(k, filter, filter, 4)), dbias);
        return dbias.toFloats();
    }

    /** The sums of all columns, and how far from these floats may be. */
    private static void assertSums(Tensor dy, float[] dbias) {
        float[] all = dy.toFloats();
        int k = dbias.length;
        for (int c = 0; c < k; c++) {
            double sum = 0;
            double size = 0;
            for (int i = c; i < all.length; i += k) {
                sum += all[i];
                size += Math.abs(all[i]);
            }
            assertEquals(sum, dbias[c], 1e-6 * size);
        }
    }

    /** Whole images in registers, too large for that, and cut into slices; 4 channels at a time, or one. */
    @ParameterizedTest
    @CsvSource({"3, 4, 8", "1, 64, 16", "260, 24, 4", "2, 5, 6", "1, 100, 2"})
    void aBiasGetsThem(int n, int side, int channels) {
        Shape shape = Shape.of(n, side, side, channels);
        try (Scope scope = Scope.open("test")) {
            Tensor x = images(shape);
            Tensor offset = images(Shape.of(n, channels));
            Tensor[] gradients = {
                gradient(x, null, null),
                gradient(x, null, null, images(shape)),
                gradient(x, null, null, images(shape), images(shape)),
                gradient(x, offset, offset.emptyLike())
            };
            for (Tensor dx : gradients) {
                assertInstanceOf(PixelSums.class, dx.buffer().companion());
                assertSums(dx, dbias(CONVOLUTION, dx));
            }
        }
        assertEquals(0, backend.memory().live());
    }

    /** What came before is no part of the gradient of an offset, so the sums are not those of dx. */
    @ParameterizedTest
    @CsvSource({"3, 4, 8", "1, 64, 16", "260, 24, 4"})
    void anOffsetGetsThemWithoutWhatCameBefore(int n, int side, int channels) {
        Shape shape = Shape.of(n, side, side, channels);
        try (Scope scope = Scope.open("test")) {
            Tensor x = images(shape);
            Tensor before = images(shape);
            Tensor offset = images(Shape.of(n, channels));
            Tensor doffset = offset.emptyLike();
            Tensor dx = gradient(x, offset, doffset, before);
            assertNull(dx.buffer().companion());
            assertSums(dx, dbias(CONVOLUTION, dx));
            assertSums(dx.sub(before), doffset.sumTo(Shape.of(1, channels)).toFloats());
        }
    }

    @Test
    void theyArePartedAndGivenWithTheirGradients() {
        Shape shape = Shape.of(2, 4, 4, 8);
        try (Scope scope = Scope.open("test")) {
            Region[] parts = {Region.of(images(shape)), Region.of(images(shape.with(3, 4)))};
            Tensor x = images(shape.with(3, 12));
            backend.copy(
                    parts,
                    new Region[] {Region.of(x).slice(3, 0, 8), Region.of(x).slice(3, 8, 4)});
            Tensor dx = gradient(x, null, null, images(x.shape()));
            Tensor[] given = {x.empty(shape), x.empty(shape.with(3, 4))};
            backend.copy(
                    new Region[] {Region.of(dx).slice(3, 0, 8), Region.of(dx).slice(3, 8, 4)},
                    new Region[] {Region.of(given[0]), Region.of(given[1])});
            for (Tensor part : given) {
                assertInstanceOf(PixelSums.class, part.buffer().companion());
                assertSums(part, dbias(CONVOLUTION, part));
            }
        }
        assertEquals(0, backend.memory().live());
    }

    @Test
    void anEnlargingConvolutionTakesThemBeforeItLeavesItsStrands() {
        try (Scope scope = Scope.open("test")) {
            Tensor dx = gradient(images(Shape.of(2, 16, 16, 8)), null, null);
            assertSums(dx, dbias(Conv2dParams.of(1, 1).enlarging(2), dx));
            assertSums(dx, dbias(Conv2dParams.of(1, 1).enlarging(2), dx)); // they are no more
        }
    }

    @Test
    void theyAreThoseOfOneVersion() {
        try (Scope scope = Scope.open("test")) {
            Tensor dx = gradient(images(Shape.of(2, 4, 4, 8)), null, null);
            dx.mul_(3);
            assertSums(dx, dbias(CONVOLUTION, dx));
            Tensor dy = gradient(images(Shape.of(2, 4, 4, 8)), null, null);
            assertSums(
                    dy.reshape(Shape.of(2, 8, 8, 2)),
                    dbias(CONVOLUTION, dy.reshape(Shape.of(2, 8, 8, 2)))); // and shape
        }
    }

    @Test
    void aRecordingAsksForItsOwn() {
        try (Scope scope = Scope.open("test")) {
            Tensor x = images(Shape.of(2, 4, 4, 8));
            Tensor outside = gradient(x, null, null);
            Tensor w = x.empty(Shape.of(8, 1, 1, 8));
            Tensor dbias = x.empty(Shape.of(8));
            Recording.Body body = recorder -> backend.conv2dBackwardWeights(CONVOLUTION, x, outside, w, dbias);
            try (Recording recording = backend.record(body).orElseThrow()) {
                outside.mul_(2);
                recording.replay(Recording.Numbers.NONE);
                assertSums(outside, dbias.toFloats());
            }
        }
    }

    @Test
    void aRecordedStepHasTheSameBits() {
        try (Scope scope = Scope.open("test")) {
            Tensor x = images(Shape.of(2, 4, 4, 8));
            Tensor dy = images(x.shape());
            Tensor mean = x.empty(Shape.of(2, 2));
            Tensor rstd = mean.emptyLike();
            NormParams p = new NormParams(2, 1e-5, true);
            backend.groupNorm(p, null, NormInputs.of(x), x.emptyLike(), mean, rstd);
            Tensor w = x.empty(Shape.of(8, 1, 1, 8));
            Tensor dbias = x.empty(Shape.of(8));
            Recording.Body body = recorder -> {
                try (Scope step = Scope.open("step")) {
                    Tensor dx = x.emptyLike();
                    backend.groupNormBackward(
                            p, null, NormInputs.of(x), mean, rstd, dy, new Tensor[0], NormInputs.of(dx));
                    backend.conv2dBackwardWeights(CONVOLUTION, x, dx, w, dbias);
                }
            };
            body.run(null);
            float[] expected = dbias.toFloats();
            try (Recording recording = backend.record(body).orElseThrow()) {
                backend.fill(dbias, 0);
                recording.replay(Recording.Numbers.NONE);
                assertArrayEquals(expected, dbias.toFloats());
            }
        }
    }
}
