package ddpm.diffusion;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import autograd.Variable;
import ddpm.diffusion.AncestralSampler.Variance;
import ddpm.diffusion.NoiseSchedule.Kind;
import java.util.ArrayList;
import java.util.List;
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

/**
 * Every sampler on x₀ ~ N(0, s²), where the best predictor is a formula and each step is multiplication by a number: what
 * comes out must be what the scalar recursion says. The expected numbers were worked out apart from this code, in another
 * language, from the published forms of the update rules.
 */
class SamplersTest {
    private static final NoiseSchedule LINEAR = NoiseSchedule.of(Kind.LINEAR, 1000);

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

    /** The best model of N(0, s²): x̂₀ = √ᾱ s² x / (ᾱ s² + 1 − ᾱ). */
    private Estimator gaussian(NoiseSchedule schedule, double s, Target target) {
        Denoiser best = (x, t) -> {
            double signal = schedule.alphaBar((int) t.value().toDoubles()[0]);
            double a = Math.sqrt(signal);
            double b = Math.sqrt(1 - signal);
            double variance = signal * s * s + 1 - signal;
            double factor = switch (target) {
                case EPSILON -> b / variance;
                case X0 -> a * s * s / variance;
                case V -> a * b * (1 - s * s) / variance;
            };
            return Variable.constant(x.value().mul(factor));
        };
        return new GaussianDiffusion(schedule, backend, DType.F64).estimator(best, target, false);
    }

    private Tensor normal(long seed, int... shape) {
        return new Rng(seed).draw(Distribution.NORMAL, backend, DType.F64, Shape.of(shape));
    }

    private static double meanSquare(double[] x) {
        double sum = 0;
        for (double v : x) sum += v * v;
        return sum / x.length;
    }

    /** The factor by which a deterministic sampler multiplies noise; the same for every value. */
    private double gain(Sampler sampler, double s, Target target) {
        Tensor noise = normal(3, 1, 2, 2, 1);
        double[] x = sampler.sample(gaussian(LINEAR, s, target), noise, Sampler.Observer.NONE)
                .toDoubles();
        double gain = x[0] / noise.toDoubles()[0];
        for (int i = 0; i < 4; i++) assertEquals(gain * noise.toDoubles()[i], x[i], 1e-10);
        return gain;
    }

    private static Sampler deterministic(String name, Timesteps steps) {
        return switch (name) {
            case "ddim" -> new DdimSampler(LINEAR, steps, 0, null);
            case "dpm++" -> new DpmSolver(LINEAR, steps);
            case "heun" -> new HeunSampler(LINEAR, steps);
            default -> throw new IllegalArgumentException(name);
        };
    }

    @ParameterizedTest
    @CsvSource({
        "ddim, 10, 0.5, 0.13076303799085384",
        "ddim, 50, 0.5, 0.22270386881815127",
        "ddim, 1000, 0.5, 0.24849754716933134",
        "ddim, 50, 2, 3.7617126120726305",
        "ddim, 1000, 1, 0.9962521062682663",
        "dpm++, 10, 0.5, 0.4797984282147818",
        "dpm++, 50, 0.5, 0.27861455995721035",
        "dpm++, 1000, 0.5, 0.24997030949065235",
        "dpm++, 20, 2, 4.320136990962815",
        "dpm++, 50, 1, 1.037046833240457",
        "heun, 10, 0.5, 0.39220079464459673",
        "heun, 50, 0.5, 0.2533562530072148",
        "heun, 1000, 0.5, 0.24991126410041653",
        "heun, 20, 2, 4.262134841775354",
        "heun, 50, 1, 1.0111480636591503",
    })
    void deterministicSamplersFollowTheScalarRecursion(String name, int count, double s, double variance) {
        Timesteps steps = count < 1000 && name.equals("heun")
                ? Timesteps.karras(LINEAR, count, 7)
                : Timesteps.evenly(1000, count);
        for (Target target : Target.values()) {
            double gain = gain(deterministic(name, steps), s, target);
            assertEquals(variance, gain * gain, 1e-9, target.name());
        }
    }

    @ParameterizedTest
    @CsvSource({
        "ddpm, FIXED_LARGE, 1000, 0.5, 0.250752075007358", "ddpm, FIXED_LARGE, 50, 0.5, 0.26788287064298316",
        "ddpm, FIXED_LARGE, 50, 2, 3.814544230472971", "ddpm, FIXED_SMALL, 50, 0.5, 0.19642023960197338",
        "ddpm, FIXED_SMALL, 50, 1, 0.8550574362927558", "ddim 1, , 50, 0.5, 0.19642023960197127",
        "ddim 1, , 50, 1, 0.8550574362927476", "ddim 0.5, , 50, 0.5, 0.2172109280073869",
        "ddim 0.5, , 50, 2, 3.713426468333886",
    })
    void noisySamplersFollowTheScalarRecursion(String name, Variance variance, int count, double s, double expected) {
        Timesteps steps = Timesteps.evenly(1000, count);
        Noise source = new ImageNoise(21, 0);
        Sampler sampler = variance != null
                ? new AncestralSampler(LINEAR, steps, variance, source)
                : new DdimSampler(LINEAR, steps, Double.parseDouble(name.substring(5)), source);
        double[] x = sampler.sample(gaussian(LINEAR, s, Target.V), normal(22, 4, 50, 50, 4), Sampler.Observer.NONE)
                .toDoubles();
        assertEquals(1, meanSquare(x) / expected, 0.025); // 3.5 standard errors of a variance from 40,000 values
    }

    /** With η = 1 over all timesteps each step of DDIM has the mean and the noise of the ancestral sampler. */
    @Test
    void ddimWithEtaOneIsTheAncestralSampler() {
        NoiseSchedule schedule = NoiseSchedule.of(Kind.LINEAR, 200);
        Timesteps all = Timesteps.all(200);
        Tensor noise = normal(31, 2, 3, 3, 1);
        Estimator model = gaussian(schedule, 0.7, Target.EPSILON);
        Sampler ancestral = new AncestralSampler(schedule, all, Variance.FIXED_SMALL, new ImageNoise(5, 0));
        Sampler ddim = new DdimSampler(schedule, all, 1, new ImageNoise(5, 0));
        assertArrayEquals(
                ancestral.sample(model, noise, Sampler.Observer.NONE).toDoubles(),
                ddim.sample(model, noise, Sampler.Observer.NONE).toDoubles(),
                1e-9);
    }

    /** Halving the steps of a method of order p multiplies its error by 2^p; the error is against 1,000 steps. */
    @ParameterizedTest
    @CsvSource({"ddim, 0.5, 1", "ddim, 2, 1", "dpm++, 0.5, 2", "dpm++, 2, 2", "heun, 0.5, 2", "heun, 2, 2"})
    void solversConvergeWithTheirOrder(String name, double s, double order) {
        double limit = gain(deterministic(name, Timesteps.all(1000)), s, Target.EPSILON);
        double coarse = gain(deterministic(name, Timesteps.evenly(1000, 40)), s, Target.EPSILON) - limit;
        double fine = gain(deterministic(name, Timesteps.evenly(1000, 80)), s, Target.EPSILON) - limit;
        assertEquals(order, Math.log(coarse / fine) / Math.log(2), 0.2);
    }

    @Test
    void everySamplerWalksItsListFromTheLastTimestepToTheImage() {
        for (SamplerChoice.Kind kind : SamplerChoice.Kind.values()) {
            SamplerChoice choice = new SamplerChoice(kind, 7, 0.5, Variance.FIXED_SMALL);
            Timesteps steps = choice.timesteps(LINEAR);
            assertEquals(999, steps.at(0), kind.word());
            assertEquals(Timesteps.IMAGE, steps.at(steps.count()), kind.word());
            assertEquals(1, LINEAR.alphaBar(steps.at(steps.count())), 0, kind.word());
            List<Integer> seen = new ArrayList<>();
            double[][] last = new double[2][];
            Tensor x = choice.sampler(LINEAR, new ImageNoise(1, 0))
                    .sample(gaussian(LINEAR, 1, Target.EPSILON), normal(4, 2, 2, 2, 1), (t, state, start) -> {
                        seen.add(t);
                        last[0] = state.toDoubles();
                        last[1] = start.toDoubles();
                    });
            assertArrayEquals(steps.toArray(), seen.stream().mapToInt(t -> t).toArray(), kind.word());
            assertArrayEquals(last[0], x.toDoubles(), 0, kind.word());
            assertArrayEquals(
                    last[1], x.toDoubles(), 1e-12, kind.word() + ": at alphaBar = 1 the estimate is the image");
        }
    }

    @ParameterizedTest
    @CsvSource({"DDPM, false", "DDIM, false", "DPM_SOLVER, false", "HEUN, false", "DDIM, true", "HEUN, true"})
    void theNetworkIsAskedAsOftenAsIsSaid(SamplerChoice.Kind kind, boolean zeroSnr) {
        NoiseSchedule schedule = zeroSnr ? LINEAR.withoutFinalSignal() : LINEAR;
        SamplerChoice choice = new SamplerChoice(kind, 7, 0, Variance.FIXED_SMALL);
        Estimator model = gaussian(schedule, 1, Target.V);
        int[] asked = {0};
        choice.sampler(schedule, new ImageNoise(1, 0))
                .sample(
                        (x, t) -> {
                            asked[0]++;
                            return model.at(x, t);
                        },
                        normal(1, 1, 2, 2, 1),
                        (t, x, start) -> {});
        assertEquals(choice.evaluations(schedule), asked[0]);
        assertEquals(7 + (kind == SamplerChoice.Kind.HEUN ? zeroSnr ? 5 : 6 : 0), asked[0]);
    }

    @Test
    void listsOfTimesteps() {
        assertArrayEquals(
                new int[] {9, 8, 7, 6, 5, 4, 3, 2, 1, 0}, Timesteps.all(10).toArray());
        assertArrayEquals(
                new int[] {999, 666, 333, 0}, Timesteps.evenly(1000, 4).toArray());
        assertArrayEquals(
                new int[] {999, 749, 499, 249}, Timesteps.trailing(1000, 4).toArray());
        assertArrayEquals(new int[] {999, 666, 332}, Timesteps.trailing(1000, 3).toArray());
        assertArrayEquals(new int[] {999}, Timesteps.evenly(1000, 1).toArray());
        assertArrayEquals(
                new int[] {999, 937, 864, 775, 663, 511, 301, 102, 18, 0},
                Timesteps.karras(LINEAR, 10, 7).toArray());
        assertEquals(79, Timesteps.karras(LINEAR, 80, 7).count());
        for (int count : new int[] {1, 2, 3, 17, 250, 999, 1000})
            for (Timesteps steps : List.of(
                    Timesteps.evenly(1000, count),
                    Timesteps.trailing(1000, count),
                    Timesteps.spaced(Timesteps.Spacing.TRAILING_DOWN, 1000, count))) {
                assertEquals(999, steps.at(0));
                assertEquals(count, steps.count());
            }
        assertThrows(IllegalArgumentException.class, () -> Timesteps.of(5, 5, 0));
        assertThrows(IllegalArgumentException.class, () -> Timesteps.of(3, -1));
        assertThrows(IllegalArgumentException.class, () -> Timesteps.evenly(100, 101));
    }

    /** Image k of a batch of 64 is image k of a batch of 1, in the noise bit for bit, and drawn noise included. */
    @ParameterizedTest
    @CsvSource({"4, 4", "3, 5"})
    void noiseBelongsToTheImage(int height, int width) {
        int m = height * width;
        ImageNoise batch = new ImageNoise(9, 0);
        double[][] whole = new double[3][];
        for (int d = 0; d < 3; d++)
            whole[d] = batch.draw(backend, DType.F64, Shape.of(64, height, width, 1))
                    .toDoubles();
        for (int k : new int[] {0, 1, 40, 63}) {
            ImageNoise single = new ImageNoise(9, k);
            for (int d = 0; d < 3; d++) {
                double[] one = single.draw(backend, DType.F64, Shape.of(1, height, width, 1))
                        .toDoubles();
                for (int i = 0; i < m; i++) assertEquals(whole[d][k * m + i], one[i], 0);
            }
        }
        assertEquals(1, meanSquare(whole[1]), 0.2);
        assertTrue(whole[0][0] != whole[1][0] && whole[0][0] != whole[0][m]);
    }

    @Test
    void anImageIsTheSameInEveryBatch() {
        Estimator model = gaussian(LINEAR, 0.5, Target.EPSILON);
        SamplerChoice choice = new SamplerChoice(SamplerChoice.Kind.DDPM, 20, 0, Variance.FIXED_SMALL);
        ImageNoise batch = new ImageNoise(2, 0);
        ImageNoise single = new ImageNoise(2, 6);
        double[] all = choice.sampler(LINEAR, batch)
                .sample(model, batch.draw(backend, DType.F64, Shape.of(8, 3, 3, 1)), Sampler.Observer.NONE)
                .toDoubles();
        double[] one = choice.sampler(LINEAR, single)
                .sample(model, single.draw(backend, DType.F64, Shape.of(1, 3, 3, 1)), Sampler.Observer.NONE)
                .toDoubles();
        for (int i = 0; i < 9; i++) assertEquals(all[6 * 9 + i], one[i], 1e-12);
    }

    /** A model that says the variance is the large one (fraction 1) samples like FIXED_LARGE, at 0 like FIXED_SMALL. */
    @ParameterizedTest
    @CsvSource({"1, FIXED_LARGE", "0, FIXED_SMALL"})
    void learnedVarianceLiesBetweenTheFixedOnes(double fraction, Variance fixed) {
        Tensor noise = normal(41, 1, 3, 3, 1);
        Timesteps steps = Timesteps.evenly(1000, 30);
        Estimator plain = gaussian(LINEAR, 0.5, Target.EPSILON);
        Estimator learned = (x, t) -> {
            Estimate e = plain.at(x, t);
            return new Estimate(e.start(), e.noise(), x.fullLike(fraction));
        };
        Variance other = fixed == Variance.FIXED_LARGE ? Variance.FIXED_SMALL : Variance.FIXED_LARGE;
        assertArrayEquals(
                new AncestralSampler(LINEAR, steps, fixed, new ImageNoise(3, 0))
                        .sample(plain, noise, Sampler.Observer.NONE)
                        .toDoubles(),
                new AncestralSampler(LINEAR, steps, other, new ImageNoise(3, 0))
                        .sample(learned, noise, Sampler.Observer.NONE)
                        .toDoubles(),
                1e-10);
    }
}
