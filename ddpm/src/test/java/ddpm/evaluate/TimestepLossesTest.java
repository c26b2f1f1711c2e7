package ddpm.evaluate;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import autograd.Variable;
import ddpm.diffusion.AncestralSampler.Variance;
import ddpm.diffusion.Denoiser;
import ddpm.diffusion.GaussianDiffusion;
import ddpm.diffusion.NoiseSchedule;
import ddpm.diffusion.Target;
import java.util.Arrays;
import org.junit.jupiter.api.Test;
import tensor.DType;
import tensor.Rng;
import tensor.Shape;
import tensor.Tensor;
import tensor.backend.Backend;
import tensor.backend.Distribution;
import tensor.backend.reference.ReferenceBackend;
import tensor.memory.Scope;

class TimestepLossesTest {
    /**
     * The best model of x₀ ~ N(0, s²) is wrong in ε by ᾱ s²/(ᾱ s² + 1 − ᾱ), and its bound with the larger variances lies
     * above the entropy of the 8-bit data, ½ log₂(2πe s²) + log₂(255/2), by little.
     */
    @Test
    void bestModelOfGaussianDataHasTheLossesOfTheFormula() {
        double s = 0.25;
        try (Backend backend = new ReferenceBackend();
                Scope root = Scope.open("losses")) {
            NoiseSchedule schedule = NoiseSchedule.of(NoiseSchedule.Kind.LINEAR_SCALED, 100);
            GaussianDiffusion d = new GaussianDiffusion(schedule, backend, DType.F64);
            Denoiser best = (x, t) -> {
                double a = schedule.alphaBar((int) t.value().toDoubles()[0]);
                return Variable.constant(x.value().mul(Math.sqrt(1 - a) / (a * s * s + 1 - a)));
            };
            double[] values = new Rng(1)
                    .draw(Distribution.NORMAL, backend, DType.F64, Shape.of(8000))
                    .toDoubles();
            for (int i = 0; i < values.length; i++) values[i] = Math.rint((values[i] * s + 1) * 127.5) / 127.5 - 1;
            Tensor x0 = Tensor.of(backend, DType.F64, Shape.of(2, 40, 100, 1), values);
            TimestepLosses losses = new TimestepLosses(d, Target.EPSILON, false, Variance.FIXED_LARGE);
            losses.add(best, x0, 3, 0, done -> {});
            for (int t : new int[] {0, 20, 99}) {
                double a = schedule.alphaBar(t);
                double expected = a * s * s / (a * s * s + 1 - a);
                assertEquals(1, losses.noise()[t] / expected, 0.06, "t " + t);
            }
            double entropy = (0.5 * Math.log(2 * Math.PI * Math.E * s * s) + Math.log(127.5)) / Math.log(2);
            assertTrue(losses.bitsPerDimension() > entropy - 0.1);
            assertEquals(7.1443, losses.bitsPerDimension(), 0.12); // the formulas, summed apart from this code
            double parts = losses.prior() + Arrays.stream(losses.bits()).sum();
            assertEquals(parts, losses.bitsPerDimension(), 1e-9);
        }
    }
}
