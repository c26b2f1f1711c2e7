package ddpm.diffusion;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import autograd.Variable;
import autograd.ops.Slice;
import ddpm.diffusion.NoiseSchedule.Kind;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import tensor.DType;
import tensor.Rng;
import tensor.Shape;
import tensor.Tensor;
import tensor.backend.Backend;
import tensor.backend.Distribution;
import tensor.backend.reference.ReferenceBackend;
import tensor.memory.Scope;

class LowResolutionTest {
    private final Backend backend = new ReferenceBackend();
    private Scope scope;
    private GaussianDiffusion diffusion;

    @BeforeEach
    void open() {
        scope = Scope.open("test");
        diffusion = new GaussianDiffusion(NoiseSchedule.of(Kind.COSINE, 20), backend, DType.F64);
    }

    @AfterEach
    void close() {
        scope.close();
        assertEquals(0, backend.memory().live());
    }

    private Tensor normal(long seed, int... shape) {
        return new Rng(seed).draw(Distribution.NORMAL, backend, DType.F64, Shape.of(shape));
    }

    @Test
    void theSmallPictureHasTheMeanOfEachSquare() {
        int h = 6, w = 4, c = 2;
        double[] x = normal(1, 3, h, w, c).toDoubles();
        double[] z =
                new LowResolution(diffusion, 2).shrink(normal(1, 3, h, w, c)).toDoubles();
        for (int n = 0, i = 0; n < 3; n++)
            for (int p = 0; p < h / 2; p++)
                for (int q = 0; q < w / 2; q++)
                    for (int k = 0; k < c; k++, i++) {
                        double sum = 0;
                        for (int r = 0; r < 4; r++) sum += x[((n * h + 2 * p + r / 2) * w + 2 * q + r % 2) * c + k];
                        assertEquals(sum / 4, z[i], 1e-12);
                    }
    }

    /** Every image at a noise of its own, in squares of 3x3, and beside it how much noise that is. */
    @Test
    void whatIsShownIsTheNoisyPictureInSquaresAndItsNoise() {
        int[] at = {0, 7, 19};
        Tensor z = normal(2, 3, 2, 1, 2);
        Tensor eps = normal(3, 3, 2, 1, 2);
        Tensor s = Tensor.of(backend, DType.F64, Shape.of(3), 0, 7, 19);
        Tensor shown = new LowResolution(diffusion, 3).given(z, s, eps);
        assertEquals(Shape.of(3, 6, 3, LowResolution.channels(2)), shown.shape());
        double[] clean = z.toDoubles();
        double[] noise = eps.toDoubles();
        double[] found = shown.toDoubles();
        for (int n = 0; n < 3; n++) {
            double a = diffusion.schedule().sqrtAlphaBar(at[n]);
            double b = diffusion.schedule().sqrtOneMinusAlphaBar(at[n]);
            for (int i = 0; i < 18; i++) {
                int from = (n * 2 + i / 9) * 2;
                int to = (n * 18 + i) * 3;
                for (int c = 0; c < 2; c++)
                    assertEquals(a * clean[from + c] + b * noise[from + c], found[to + c], 1e-12);
                assertEquals(b, found[to + 2], 1e-12);
            }
        }
    }

    /**
     * Data is a square of 2x2 pixels m + d, m ~ N(0, 1), the d independent N(0, s²) less their mean: given z = m, the best
     * network is a formula of x_t and what it is shown. With it, samplers must draw pictures whose mean is z and whose pixels
     * differ by s.
     */
    @Test
    void withTheBestNetworkDrawnPicturesShrinkToWhatWasGiven() {
        double s = 0.2;
        int n = 400;
        int timesteps = 300;
        NoiseSchedule schedule = NoiseSchedule.of(Kind.COSINE, timesteps);
        diffusion = new GaussianDiffusion(schedule, backend, DType.F64);
        LowResolution low = new LowResolution(diffusion, 2);
        Tensor z = normal(4, n, 1, 1, 1);
        Tensor zero = Tensor.full(backend, DType.F64, Shape.of(n), 0);
        Tensor shown = low.given(z, zero, z.fullLike(0)); // √ᾱ₀ z: the network undoes the factor
        Denoiser network = (x, t) -> {
            Tensor xt = Slice.slice(x, 3, 0, 1).value();
            Tensor mean = Slice.slice(x, 3, 1, 1).value().mul(1 / schedule.sqrtAlphaBar(0));
            double a = schedule.sqrtAlphaBar((int) t.value().toDoubles()[0]);
            double b = schedule.sqrtOneMinusAlphaBar((int) t.value().toDoubles()[0]);
            Tensor off = xt.sub(mean.mul(a));
            Tensor detail = off.sub(spread(low.shrink(off))).mul(a * s * s / (a * a * s * s + b * b));
            return Variable.constant(mean.add(detail));
        };
        Tensor noise = normal(5, n, 2, 2, 1);
        Tensor drawn = new DdimSampler(schedule, Timesteps.all(timesteps), 0, null)
                .sample(diffusion.estimator(network.given(shown), Target.X0, false), noise, Sampler.Observer.NONE);
        assertArrayEquals(z.toDoubles(), low.shrink(drawn).toDoubles(), 1e-9);
        double square = 0;
        for (double v : drawn.sub(spread(z)).toDoubles()) square += v * v / (3 * n);
        assertEquals(s, Math.sqrt(square), 0.01, "three of four differences are free");
    }

    private static Tensor spread(Tensor small) {
        return autograd.ops.Upsample.nearest(Variable.constant(small), 2).value();
    }

    @ParameterizedTest
    @CsvSource({"32,32,16,2", "28,28,7,4", "12,8,6,2", "12,8,3,4"})
    void factors(int height, int width, int side, int factor) {
        assertEquals(factor, LowResolution.factor(height, width, side));
    }

    @ParameterizedTest
    @CsvSource({"32,32,32", "32,32,64", "28,28,5", "12,9,6"})
    void picturesThatDoNotFitAreRefused(int height, int width, int side) {
        String message = assertThrows(IllegalArgumentException.class, () -> LowResolution.factor(height, width, side))
                .getMessage();
        assertTrue(message.contains("at least twice, not " + side), message);
    }
}
