package ddpm.diffusion;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.Test;
import tensor.DType;
import tensor.Shape;
import tensor.Tensor;
import tensor.backend.Backend;
import tensor.backend.reference.ReferenceBackend;
import tensor.memory.Scope;

class InpaintingTest {
    private static final double RHO = 0.8;

    /** Two values of variance 1 with correlation ρ: x̂₀ = a Σ (a² Σ + b² I)⁻¹ x, in the directions (1,1) and (1,−1). */
    private static Estimator correlated(NoiseSchedule schedule) {
        return (x, t) -> {
            double a = schedule.sqrtAlphaBar(t);
            double b = schedule.sqrtOneMinusAlphaBar(t);
            double sum = a * (1 + RHO) / (a * a * (1 + RHO) + b * b);
            double difference = a * (1 - RHO) / (a * a * (1 - RHO) + b * b);
            double[] v = x.toDoubles();
            double[] start = new double[v.length];
            for (int i = 0; i < v.length; i += 2) {
                start[i] = (sum * (v[i] + v[i + 1]) + difference * (v[i] - v[i + 1])) / 2;
                start[i + 1] = (sum * (v[i] + v[i + 1]) - difference * (v[i] - v[i + 1])) / 2;
            }
            Tensor x0 = Tensor.of(x.backend(), x.dtype(), x.shape(), start);
            return new Estimate(x0, x.sub(x0.mul(a)).mul(1 / b));
        };
    }

    /** Given that the first is 1.5, the second is N(1.5 ρ, 1 − ρ²); more rounds come nearer to that. */
    @Test
    void whatIsDrawnFitsWhatIsKnown() {
        double once = drawn(1);
        double often = drawn(8);
        assertEquals(1.5 * RHO, often, 0.12);
        assertTrue(Math.abs(often - 1.5 * RHO) < Math.abs(once - 1.5 * RHO), once + ", then " + often);
    }

    /** The mean of the second value. */
    private static double drawn(int rounds) {
        try (Backend backend = new ReferenceBackend();
                Scope root = Scope.open("inpaint")) {
            NoiseSchedule schedule = NoiseSchedule.of(NoiseSchedule.Kind.LINEAR_SCALED, 60);
            int n = 1000;
            double[] known = new double[2 * n];
            for (int i = 0; i < n; i++) known[2 * i] = 1.5;
            Shape shape = Shape.of(n, 1, 2, 1);
            ImageNoise source = new ImageNoise(1, 0);
            Inpainting inpainting = new Inpainting(
                    schedule,
                    Timesteps.all(60),
                    AncestralSampler.Variance.FIXED_SMALL,
                    source,
                    Tensor.of(backend, DType.F64, shape, known),
                    Tensor.of(backend, DType.F64, Shape.of(1, 1, 2, 1), 1, 0),
                    rounds);
            double[] v = inpainting
                    .sample(correlated(schedule), source.draw(backend, DType.F64, shape), Sampler.Observer.NONE)
                    .toDoubles();
            double sum = 0;
            for (int i = 0; i < n; i++) {
                assertEquals(1.5, v[2 * i], 1e-12, "the known part is the image itself");
                sum += v[2 * i + 1];
            }
            return sum / n;
        }
    }

    @Test
    void timestepsFromTheMiddle() {
        assertArrayEquals(
                new int[] {500, 333, 0}, Timesteps.evenly(1000, 4).from(500).toArray());
        assertArrayEquals(
                new int[] {333, 0}, Timesteps.evenly(1000, 4).from(333).toArray());
        assertArrayEquals(new int[] {0}, Timesteps.evenly(1000, 4).from(0).toArray());
    }
}
