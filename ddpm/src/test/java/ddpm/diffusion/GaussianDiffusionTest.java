package ddpm.diffusion;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import autograd.Variable;
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

/** Diffusion needs no network: for Gaussian data the best predictor is a formula, and everything can be checked. */
class GaussianDiffusionTest {
    private final Backend backend = new ReferenceBackend();
    private Scope scope;

    @BeforeEach
    void open() {
        scope = Scope.open("test");
    }

    @AfterEach
    void close() {
        scope.close();
        assertEquals(0, backend.memory().live());
    }

    private GaussianDiffusion linear(int timesteps) {
        return new GaussianDiffusion(NoiseSchedule.of(Kind.LINEAR, timesteps), backend, DType.F64);
    }

    private Tensor normal(long seed, int... shape) {
        return new Rng(seed).draw(Distribution.NORMAL, backend, DType.F64, Shape.of(shape));
    }

    /** ε*(x_t) = √(1−ᾱ_t) x_t / (ᾱ_t s² + 1 − ᾱ_t), the best predictor when x₀ ~ N(0, s²). */
    private static Denoiser gaussian(NoiseSchedule schedule, double s) {
        return (x, t) -> {
            int step = (int) t.value().toDoubles()[0];
            double signal = schedule.alphaBar(step);
            double factor = Math.sqrt(1 - signal) / (signal * s * s + 1 - signal);
            return Variable.constant(x.value().mul(factor));
        };
    }

    @Test
    void qSampleMixesSignalAndNoiseOfEachImagesOwnTimestep() {
        GaussianDiffusion d = linear(200);
        Tensor x0 = normal(1, 3, 2, 2, 1);
        Tensor eps = normal(2, 3, 2, 2, 1);
        Tensor t = Tensor.of(backend, DType.F64, Shape.of(3), 0, 100, 199);
        double[] xt = d.qSample(x0, t, eps).toDoubles();
        int[] steps = {0, 100, 199};
        for (int i = 0; i < 12; i++) {
            double alphaBar = d.schedule().alphaBar(steps[i / 4]);
            double expected = Math.sqrt(alphaBar) * x0.toDoubles()[i] + Math.sqrt(1 - alphaBar) * eps.toDoubles()[i];
            assertEquals(expected, xt[i], 1e-14);
        }
    }

    @Test
    void everyTargetGivesBackImageAndNoise() {
        GaussianDiffusion d = linear(300);
        Tensor x0 = normal(1, 2, 3, 3, 1);
        Tensor eps = normal(2, 2, 3, 3, 1);
        for (int t : new int[] {0, 150, 299}) {
            Tensor xt = d.qSample(x0, Tensor.of(backend, DType.F64, Shape.of(2), t, t), eps);
            Tensor time = Tensor.of(backend, DType.F64, Shape.of(2), t, t);
            for (Target target : Target.values()) {
                Estimate e = d.estimate(target, xt, t, d.truth(target, x0, time, eps), false);
                assertArrayEquals(x0.toDoubles(), e.start().toDoubles(), 1e-10, target.name());
                assertArrayEquals(eps.toDoubles(), e.noise().toDoubles(), 1e-10, target.name());
            }
        }
    }

    @Test
    void clippingKeepsImageAndNoiseConsistent() {
        GaussianDiffusion d = linear(200);
        Tensor xt = normal(3, 2, 4, 4, 1).mul(3);
        Tensor eps = normal(4, 2, 4, 4, 1);
        Estimate e = d.estimate(Target.EPSILON, xt, 120, eps, true);
        double alphaBar = d.schedule().alphaBar(120);
        double[] start = e.start().toDoubles();
        double[] noise = e.noise().toDoubles();
        boolean clipped = false;
        for (int i = 0; i < start.length; i++) {
            assertTrue(Math.abs(start[i]) <= 1);
            clipped |= Math.abs(start[i]) == 1;
            assertEquals(xt.toDoubles()[i], Math.sqrt(alphaBar) * start[i] + Math.sqrt(1 - alphaBar) * noise[i], 1e-12);
        }
        assertTrue(clipped, "the case must clip something");
    }

    /** Without clipping, the posterior mean at x̂₀ is Eq. 11: (x_t − β_t/√(1−ᾱ_t) ε) / √α_t. */
    @Test
    void meanFromTheEstimateIsEquation11() {
        GaussianDiffusion d = linear(200);
        Tensor xt = normal(5, 1, 3, 3, 2);
        Tensor eps = normal(6, 1, 3, 3, 2);
        for (int t : new int[] {0, 1, 77, 199}) {
            double beta = d.schedule().beta(t);
            double factor = beta / Math.sqrt(1 - d.schedule().alphaBar(t));
            double[] expected =
                    xt.sub(eps.mul(factor)).mul(1 / Math.sqrt(1 - beta)).toDoubles();
            Tensor start = d.estimate(Target.EPSILON, xt, t, eps, false).start();
            assertArrayEquals(
                    expected, d.schedule().transition(t).mean(start, xt).toDoubles(), 1e-10);
        }
    }

    /** Variances after all 1000 steps, from the scalar recursion, worked out apart from this code. */
    @ParameterizedTest
    @CsvSource({
        "FIXED_LARGE, 1, 0.99990", "FIXED_LARGE, 0.5, 0.25075", "FIXED_LARGE, 2, 3.9906", "FIXED_LARGE, 0.1, 0.010154",
        "FIXED_SMALL, 1, 0.9911", "FIXED_SMALL, 0.5, 0.2461", "FIXED_SMALL, 2, 3.9748", "FIXED_SMALL, 0.1, 0.009276"
    })
    void samplerReturnsTheVarianceOfGaussianData(AncestralSampler.Variance variance, double s, double expected) {
        GaussianDiffusion d = linear(1000);
        Tensor noise = normal(7, 1, 50, 50, 4); // 10,000 values
        AncestralSampler sampler =
                new AncestralSampler(d.schedule(), Timesteps.all(1000), variance, new Rng(8)::normalLike);
        double[] x = sampler.sample(
                        d.estimator(gaussian(d.schedule(), s), Target.EPSILON, false), noise, Sampler.Observer.NONE)
                .toDoubles();
        double sum = 0;
        for (double v : x) sum += v * v;
        assertEquals(1, sum / x.length / expected, 0.05); // 3.5 standard errors of a variance from 10,000 values
    }

    @Test
    void sameSeedSameImages() {
        GaussianDiffusion d = linear(30);
        double[][] runs = new double[2][];
        for (int i = 0; i < 2; i++) {
            AncestralSampler sampler = new AncestralSampler(
                    d.schedule(), Timesteps.all(30), AncestralSampler.Variance.FIXED_LARGE, new Rng(11)::normalLike);
            Estimator model = d.estimator(gaussian(d.schedule(), 1), Target.EPSILON, true);
            runs[i] = sampler.sample(model, normal(12, 1, 4, 4, 1), Sampler.Observer.NONE)
                    .toDoubles();
        }
        assertArrayEquals(runs[0], runs[1], 0);
    }
}
