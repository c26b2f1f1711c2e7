package ddpm.diffusion;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import autograd.Tape;
import autograd.Variable;
import autograd.ops.Mean;
import ddpm.diffusion.AncestralSampler.Variance;
import ddpm.diffusion.NoiseSchedule.Kind;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import tensor.DType;
import tensor.Rng;
import tensor.Shape;
import tensor.Tensor;
import tensor.backend.Backend;
import tensor.backend.Distribution;
import tensor.backend.reference.ReferenceBackend;
import tensor.memory.Scope;

/** What is minimised, on data for which it is known. */
class ObjectiveTest {
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

    private Tensor normal(long seed, int... shape) {
        return new Rng(seed).draw(Distribution.NORMAL, backend, DType.F64, Shape.of(shape));
    }

    private Tensor steps(double... t) {
        return Tensor.of(backend, DType.F64, Shape.of(t.length), t);
    }

    /** Weights on the error of x̂₀ are the same whatever is predicted: ‖Δε‖² = snr ‖Δx₀‖², ‖Δv‖² = (snr + 1) ‖Δx₀‖². */
    @ParameterizedTest
    @CsvSource({"0.01", "1", "4.9", "5.1", "1000"})
    void minSnrWeighsTheErrorOfTheImage(double snr) {
        double expected = Math.min(snr, 5);
        assertEquals(expected, Objective.weight(Target.X0, snr, 5), 1e-12);
        assertEquals(expected, Objective.weight(Target.EPSILON, snr, 5) * snr, 1e-9);
        assertEquals(expected, Objective.weight(Target.V, snr, 5) * (snr + 1), 1e-9);
    }

    @ParameterizedTest
    @EnumSource(Target.class)
    void simpleLossIsTheWeightedSquareOfTheError(Target target) {
        GaussianDiffusion d = new GaussianDiffusion(NoiseSchedule.of(Kind.LINEAR, 100), backend, DType.F64);
        Tensor x0 = normal(1, 2, 3, 3, 1);
        Tensor eps = normal(2, 2, 3, 3, 1);
        Tensor t = steps(10, 80);
        Tensor truth = d.truth(target, x0, t, eps);
        Denoiser off = (x, time) -> Variable.constant(truth.add(0.3)); // wrong by 0.3 everywhere
        for (double gamma : new double[] {0, 2}) {
            double[] losses = new Objective(d, Objective.Kind.SIMPLE, target, LossKind.L2, Variance.FIXED_SMALL, gamma)
                    .losses(off, x0, t, eps)
                    .value()
                    .toDoubles();
            int[] at = {10, 80};
            for (int n = 0; n < 2; n++) {
                double a = d.schedule().alphaBar(at[n]);
                double snr = a / (1 - a);
                double perImageError = switch (target) {
                    case EPSILON -> 0.09 / snr;
                    case X0 -> 0.09;
                    case V -> 0.09 / (snr + 1);
                };
                assertEquals(gamma == 0 ? 0.09 : Math.min(snr, gamma) * perImageError, losses[n], 1e-9);
            }
        }
    }

    /** The step's noise in x̂₀ that no model can remove, when x₀ ~ N(0, s²): s² (1−ᾱ) / (ᾱ s² + 1 − ᾱ). */
    private static double residual(NoiseSchedule schedule, int t, double s) {
        double a = schedule.alphaBar(t);
        return s * s * (1 - a) / (a * s * s + 1 - a);
    }

    /** The best x̂₀ of N(0, s²). */
    private static Tensor best(NoiseSchedule schedule, Tensor xt, int t, double s) {
        double a = schedule.alphaBar(t);
        return xt.mul(Math.sqrt(a) * s * s / (a * s * s + 1 - a));
    }

    @ParameterizedTest
    @CsvSource({"FIXED_SMALL, 1", "FIXED_SMALL, 60", "FIXED_LARGE, 1", "FIXED_LARGE, 60", "FIXED_LARGE, 199"})
    void boundOfGaussianDataIsItsClosedForm(Variance variance, int t) {
        double s = 0.4;
        NoiseSchedule schedule = NoiseSchedule.of(Kind.LINEAR_SCALED, 200);
        GaussianDiffusion d = new GaussianDiffusion(schedule, backend, DType.F64);
        Tensor x0 = normal(3, 2, 100, 100, 1).mul(s);
        Tensor xt = d.qSample(x0, steps(t, t), normal(4, 2, 100, 100, 1));
        double[] bits = new VariationalBound(d, variance)
                .terms(x0, steps(t, t), Variable.constant(best(schedule, xt, t, s)), null)
                .value()
                .toDoubles();
        double small = schedule.transition(t).posteriorVariance();
        double model = variance == Variance.FIXED_SMALL ? small : schedule.beta(t);
        double error = Math.pow(schedule.transition(t).meanStart(), 2) * residual(schedule, t, s);
        double expected = 0.5 * (Math.log(model / small) - 1 + (small + error) / model) / Math.log(2);
        assertEquals(1, (bits[0] + bits[1]) / 2 / expected, 0.04);
    }

    /**
     * With the variances of the true reverse steps the bound is tight: summed over t it is the entropy of the 8-bit data,
     * −log₂ of the density times the bin, ½ log₂(2πe s²) + log₂(255/2).
     */
    @Test
    void wholeBoundOfGaussianDataIsItsEntropy() {
        double s = 0.25;
        int timesteps = 100;
        NoiseSchedule schedule = NoiseSchedule.of(Kind.LINEAR_SCALED, timesteps);
        GaussianDiffusion d = new GaussianDiffusion(schedule, backend, DType.F64);
        double[] values = normal(5, 1, 100, 100, 1).mul(s).toDoubles();
        for (int i = 0; i < values.length; i++) values[i] = Math.rint((values[i] + 1) * 127.5) / 127.5 - 1;
        Tensor x0 = Tensor.of(backend, DType.F64, Shape.of(1, 100, 100, 1), values);
        VariationalBound bound = new VariationalBound(d, Variance.LEARNED);
        double total = bound.prior(x0)[0];
        for (int t = 0; t < timesteps; t++) {
            try (Scope step = Scope.open("t")) {
                Tensor xt = d.qSample(x0, steps(t), normal(6 + t, 1, 100, 100, 1));
                Tensor start = best(schedule, xt, t, s);
                double small = schedule.transition(Math.max(1, t)).posteriorVariance();
                double truth = schedule.transition(t).posteriorVariance()
                        + Math.pow(schedule.transition(t).meanStart(), 2) * residual(schedule, t, s);
                double f = Math.log(truth / small) / Math.log(schedule.beta(t) / small);
                Tensor fraction = x0.fullLike(f);
                total += t == 0
                        ? bound.decoder(x0, start, fraction)[0]
                        : bound.terms(x0, steps(t), Variable.constant(start), Variable.constant(fraction))
                                .item();
            }
        }
        double entropy = (0.5 * Math.log(2 * Math.PI * Math.E * s * s) + Math.log(127.5)) / Math.log(2);
        assertEquals(entropy, total, 0.1); // a few standard errors of 10,000 values in every term
    }

    /** The likelihood with tanh, which has gradients, is near the exact one, in the outer bins too. */
    @Test
    void bothDecodersAgree() {
        NoiseSchedule schedule = NoiseSchedule.of(Kind.LINEAR_SCALED, 200);
        GaussianDiffusion d = new GaussianDiffusion(schedule, backend, DType.F64);
        VariationalBound bound = new VariationalBound(d, Variance.FIXED_LARGE);
        Tensor x0 = Tensor.of(backend, DType.F64, Shape.of(2, 1, 2, 1), -1, 0.0039, 1, -0.5);
        Tensor start = x0.add(0.01);
        double[] exact = bound.decoder(x0, start, null);
        double[] near = bound.terms(x0, steps(0, 0), Variable.constant(start), null)
                .value()
                .toDoubles();
        assertArrayEquals(exact, near, 0.01);
        // σ² = β̃₁; the bin of 0.0039 is [−1/255, 1/255] around it, that of −1 is open below.
        double sigma = Math.sqrt(schedule.transition(1).posteriorVariance());
        double inner = phi((-0.01 + 1 / 255.0) / sigma) - phi((-0.01 - 1 / 255.0) / sigma);
        double outer = phi((-0.01 + 1 / 255.0) / sigma);
        assertEquals(-(Math.log(inner) + Math.log(outer)) / 2 / Math.log(2), exact[0], 1e-6);
    }

    /** Φ by Simpson's rule. */
    private static double phi(double z) {
        int n = 20_000;
        double low = -12;
        double h = (z - low) / n;
        double sum = 0;
        for (int i = 0; i <= n; i++) {
            double x = low + i * h;
            double weight = i == 0 || i == n ? 1 : i % 2 == 1 ? 4 : 2;
            sum += weight * Math.exp(-0.5 * x * x);
        }
        return sum * h / 3 / Math.sqrt(2 * Math.PI);
    }

    /** In the hybrid loss the bound teaches the variances and leaves the prediction alone. */
    @Test
    void hybridLossTeachesVariancesByTheBoundAndThePredictionByTheSimpleLoss() {
        GaussianDiffusion d = new GaussianDiffusion(NoiseSchedule.of(Kind.COSINE, 50), backend, DType.F64);
        double[] simple = gradient(d, Objective.Kind.SIMPLE);
        double[] hybrid = gradient(d, Objective.Kind.HYBRID);
        double[] bound = gradient(d, Objective.Kind.BOUND);
        for (int i = 0; i < simple.length; i += 2) {
            assertEquals(simple[i], hybrid[i], 1e-14);
            assertEquals(0, simple[i + 1], 0);
            assertTrue(hybrid[i + 1] != 0);
            assertEquals(0.001, hybrid[i + 1] / bound[i + 1], 1e-12);
            assertTrue(bound[i] != simple[i]);
        }
    }

    private double[] gradient(GaussianDiffusion d, Objective.Kind kind) {
        Variable output = Variable.leaf(normal(9, 2, 2, 2, 2).mul(0.5)); // noise and variance of one channel
        try (Tape tape = Tape.start()) {
            Variable losses = new Objective(d, kind, Target.EPSILON, LossKind.L2, Variance.LEARNED, 0)
                    .losses((x, t) -> output, normal(7, 2, 2, 2, 1), steps(0, 20), normal(8, 2, 2, 2, 1));
            return tape.backward(Mean.mean(losses)).of(output).toDoubles();
        }
    }

    /** A predictor of zero scores E|z| = √(2/π), E z² = 1, and 0.4247 under smooth L1. */
    @ParameterizedTest
    @CsvSource({"L1, 0.79788", "L2, 1", "HUBER, 0.42470"})
    void lossOfPredictingNothingIsAMomentOfTheNormal(LossKind kind, double expected) {
        GaussianDiffusion d = new GaussianDiffusion(NoiseSchedule.of(Kind.LINEAR, 100), backend, DType.F64);
        Tensor t = new Rng(15).draw(Distribution.integers(100), backend, DType.F64, Shape.of(10));
        double[] losses = new Objective(d, Objective.Kind.SIMPLE, Target.EPSILON, kind, Variance.FIXED_SMALL, 0)
                .losses(
                        (x, time) -> Variable.constant(x.value().fullLike(0)),
                        normal(13, 10, 50, 50, 4),
                        t,
                        normal(14, 10, 50, 50, 4))
                .value()
                .toDoubles();
        assertEquals(10, losses.length);
        double mean = 0;
        for (double loss : losses) mean += loss / 10;
        assertEquals(expected, mean, 0.015);
    }

    /** Lin et al. 2023: √ᾱ loses a constant and is stretched; the start stays, the end is 0. */
    @ParameterizedTest
    @EnumSource(Kind.class)
    void scheduleWithoutFinalSignal(Kind kind) {
        NoiseSchedule before = NoiseSchedule.of(kind, 200);
        NoiseSchedule after = before.withoutFinalSignal();
        assertEquals(0, after.alphaBar(199), 0);
        assertEquals(before.alphaBar(0), after.alphaBar(0), 1e-12);
        double stretch = before.sqrtAlphaBar(0) / (before.sqrtAlphaBar(0) - before.sqrtAlphaBar(199));
        for (int t = 0; t < 199; t++)
            assertEquals(stretch * (before.sqrtAlphaBar(t) - before.sqrtAlphaBar(199)), after.sqrtAlphaBar(t), 1e-9);
    }

    /** From ᾱ = 0 every sampler starts without a NaN and ends with the variance of the data. */
    @ParameterizedTest
    @EnumSource(SamplerChoice.Kind.class)
    void samplersStartFromNoSignalAtAll(SamplerChoice.Kind kind) {
        NoiseSchedule schedule = NoiseSchedule.of(Kind.LINEAR_SCALED, 200).withoutFinalSignal();
        GaussianDiffusion d = new GaussianDiffusion(schedule, backend, DType.F64);
        double s = 0.5;
        Denoiser v = (x, t) -> {
            double a = schedule.alphaBar((int) t.value().toDoubles()[0]);
            return Variable.constant(x.value().mul(Math.sqrt(a * (1 - a)) * (1 - s * s) / (a * s * s + 1 - a)));
        };
        for (int count : new int[] {100, 0}) {
            SamplerChoice choice = new SamplerChoice(kind, count, 0, Variance.FIXED_LARGE);
            double[] x = choice.sampler(schedule, new ImageNoise(3, 0))
                    .sample(d.estimator(v, Target.V, false), normal(10, 1, 50, 50, 1), Sampler.Observer.NONE)
                    .toDoubles();
            double sum = 0;
            for (double value : x) sum += value * value;
            assertEquals(1, sum / x.length / (s * s), 0.12, "steps " + count);
        }
    }
}
