package ddpm.diffusion;

import static autograd.ops.Pointwise.log;
import static autograd.ops.Pointwise.sigmoid;
import static autograd.ops.Reshape.reshape;
import static autograd.ops.Scale.scale;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import autograd.Variable;
import ddpm.diffusion.NoiseSchedule.Kind;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import tensor.DType;
import tensor.Rng;
import tensor.Shape;
import tensor.Tensor;
import tensor.backend.Backend;
import tensor.backend.Distribution;
import tensor.backend.reference.ReferenceBackend;
import tensor.memory.Scope;

class GuidanceTest {
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

    /** One channel of prediction, one of variance. */
    private double[] guided(double factor, double rescale, Tensor with, Tensor without) {
        Variable x = Variable.constant(normal(1, 2, 3, 3, 1));
        return new ClassifierFreeGuidance(
                        (a, t) -> Variable.constant(with), (a, t) -> Variable.constant(without), 1, factor, rescale)
                .predict(x, x)
                .value()
                .toDoubles();
    }

    @ParameterizedTest
    @ValueSource(doubles = {0, 1, 3.5})
    void guidanceGoesOnFromTheUnlabelledThroughTheLabelledPrediction(double factor) {
        Tensor with = normal(2, 2, 3, 3, 2);
        Tensor without = normal(3, 2, 3, 3, 2);
        double[] c = with.toDoubles();
        double[] u = without.toDoubles();
        double[] y = guided(factor, 0, with, without);
        for (int i = 0; i < y.length; i++)
            assertEquals(
                    i % 2 == 0 ? u[i] + factor * (c[i] - u[i]) : c[i], y[i], 1e-12, "variances are the labelled ones");
    }

    @Test
    void rescalingGivesEachImageTheContrastOfItsLabelledPrediction() {
        Tensor with = normal(2, 2, 3, 3, 2);
        Tensor without = normal(3, 2, 3, 3, 2);
        double[] c = with.toDoubles();
        double[] full = guided(5, 1, with, without);
        double[] none = guided(5, 0, with, without);
        double[] half = guided(5, 0.5, with, without);
        for (int image = 0; image < 2; image++) assertEquals(deviation(c, image), deviation(full, image), 1e-12);
        for (int i = 0; i < c.length; i++) assertEquals((full[i] + none[i]) / 2, half[i], 1e-12);
    }

    private static double deviation(double[] x, int image) {
        double mean = 0;
        double square = 0;
        for (int i = 0; i < 9; i++) mean += x[image * 18 + 2 * i] / 9;
        for (int i = 0; i < 9; i++) square += Math.pow(x[image * 18 + 2 * i] - mean, 2) / 9;
        return Math.sqrt(square);
    }

    /**
     * Data is N(+m, s²) or N(−m, s²), each half the time. The classifier p(+ | x_t) = sigmoid(2 √ᾱ m x / (ᾱ s² + 1 − ᾱ)) is
     * exact; guided by it with scale 1, the model of the mixture must become the model of the class.
     */
    @ParameterizedTest
    @ValueSource(ints = {0, 40, 99})
    void exactClassifierTurnsTheModelIntoThatOfTheClass(int t) {
        double m = 0.6;
        double s = 0.3;
        NoiseSchedule schedule = NoiseSchedule.of(Kind.LINEAR_SCALED, 100);
        double a = schedule.sqrtAlphaBar(t);
        double b = schedule.sqrtOneMinusAlphaBar(t);
        double variance = a * a * s * s + b * b;
        Tensor x = normal(5, 6, 1, 1, 1);
        double[] values = x.toDoubles();
        double[] mixture = new double[6];
        double[] expected = new double[6];
        for (int i = 0; i < 6; i++) {
            double plus = m + a * s * s / variance * (values[i] - a * m);
            double minus = -m + a * s * s / variance * (values[i] + a * m);
            double p = 1 / (1 + Math.exp(-2 * a * m * values[i] / variance));
            mixture[i] = p * plus + (1 - p) * minus;
            expected[i] = plus;
        }
        Tensor start = Tensor.of(backend, DType.F64, x.shape(), mixture);
        Estimator model = (xt, at) -> new Estimate(start, xt.sub(start.mul(a)).mul(1 / b));
        ClassifierGuidance guided = new ClassifierGuidance(
                model, schedule, (xt, at) -> log(sigmoid(scale(reshape(xt, -1), 2 * a * m / variance))), 1, false);
        Estimate e = guided.at(x, t);
        assertArrayEquals(expected, e.start().toDoubles(), 1e-9);
        assertArrayEquals(
                values, e.start().mul(a).add(e.noise().mul(b)).toDoubles(), 1e-12, "image and noise stay a pair");
    }

    @Test
    void selfConditioningShowsTheEstimateOfTheStepBefore() {
        GaussianDiffusion d = new GaussianDiffusion(NoiseSchedule.of(Kind.COSINE, 10), backend, DType.F64);
        double[][] seen = new double[3][];
        int[] call = {0};
        Denoiser network = (x, t) -> { // x [N,H,W,2]: x_t and what is given; predicts x₀ = 0.1, 0.2, 0.3
            double[] both = x.value().toDoubles();
            double[] given = new double[both.length / 2];
            for (int i = 0; i < given.length; i++) given[i] = both[2 * i + 1];
            seen[call[0]++] = given;
            return Variable.constant(Tensor.full(backend, DType.F64, Shape.of(1, 2, 2, 1), 0.1 * call[0]));
        };
        Tensor noise = normal(1, 1, 2, 2, 1);
        new DdimSampler(d.schedule(), Timesteps.of(9, 5, 0), 0, null)
                .sample(new SelfConditioning(d, network, Target.X0, true, noise), noise, Sampler.Observer.NONE);
        assertArrayEquals(new double[4], seen[0], 0);
        assertArrayEquals(new double[] {0.1, 0.1, 0.1, 0.1}, seen[1], 1e-12);
        assertArrayEquals(new double[] {0.2, 0.2, 0.2, 0.2}, seen[2], 1e-12);
    }

    /** It was trained on estimates within [−1, 1]; whoever goes on from its own may want them as they are. */
    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void selfConditioningShowsNothingBeyondWhatItWasTrainedOn(boolean clip) {
        GaussianDiffusion d = new GaussianDiffusion(NoiseSchedule.of(Kind.COSINE, 10), backend, DType.F64);
        Tensor noise = normal(1, 1, 2, 2, 1);
        double[] largest = {0};
        SelfConditioning model = new SelfConditioning(
                d,
                (x, t) -> {
                    double[] both = x.value().toDoubles();
                    for (int i = 1; i < both.length; i += 2) largest[0] = Math.max(largest[0], both[i]);
                    return Variable.constant(noise.fullLike(3));
                },
                Target.X0,
                clip,
                noise);
        for (int t = 9; t >= 0; t -= 3)
            assertEquals(clip ? 1 : 3, model.at(noise, t).start().toDoubles()[0], 1e-12);
        assertEquals(1, largest[0], 1e-12);
    }

    @Test
    void whileTrainingHalfOfTheImagesSeeTheirEstimate() {
        GaussianDiffusion d = new GaussianDiffusion(NoiseSchedule.of(Kind.COSINE, 10), backend, DType.F64);
        Tensor xt = normal(1, 2, 2, 2, 1);
        Tensor t = Tensor.of(backend, DType.F64, Shape.of(2), 3, 4);
        Tensor mask = Tensor.of(backend, DType.F64, Shape.of(2, 1, 1, 1), 1, 0);
        Denoiser constant = (x, time) -> Variable.constant(xt.fullLike(0.7));
        double[] estimate =
                SelfConditioning.estimate(d, constant, Target.X0, xt, t, mask).toDoubles();
        assertArrayEquals(new double[] {0.7, 0.7, 0.7, 0.7, 0, 0, 0, 0}, estimate, 1e-12);
    }
}
