package ddpm.diffusion;

import static autograd.ops.Add.add;
import static autograd.ops.Clamp.clamp;
import static autograd.ops.Mean.mean;
import static autograd.ops.Mul.mul;
import static autograd.ops.Pointwise.exp;
import static autograd.ops.Pointwise.log;
import static autograd.ops.Pointwise.neg;
import static autograd.ops.Pointwise.square;
import static autograd.ops.Pointwise.tanh;
import static autograd.ops.Reshape.reshape;
import static autograd.ops.Scale.scale;
import static autograd.ops.Shift.shift;
import static autograd.ops.Sub.sub;
import static ddpm.diffusion.GaussianDiffusion.perImage;

import autograd.Variable;
import tensor.Tensor;
import tensor.backend.BinaryOp;
import tensor.backend.Special;

/**
 * The bound on −log p(x₀) (Ho et al. 2020, Eq. 5), in bits per dimension, term by term:
 *
 * <pre>L_T      KL(q(x_T | x₀) ‖ N(0, I))                              {@link #prior}
 * L_t      KL(q(x_{t−1} | x_t, x₀) ‖ p(x_{t−1} | x_t))              {@link #terms}, t = 1 … T−1
 * L_0      −log ∫ N(x; x̂₀, σ₀²) over the 8-bit bin of x₀            {@link #terms}, t = 0; outer bins are open
 *
 * KL of Gaussians = ½ (ln σ_p²/β̃ − 1 + (β̃ + (μ̃ − μ_p)²)/σ_p²)      μ̃ − μ_p = √ᾱ_{t−1} β_t/(1−ᾱ_t) · (x₀ − x̂₀)</pre>
 *
 * At t = 0, where β̃ is 0, its value at 1 stands in, as in the authors' code.
 */
public final class VariationalBound {
    private static final double LN2 = Math.log(2);
    /** Half the width of an 8-bit bin in [−1, 1]. */
    private static final double HALF_BIN = 1 / 255.0;
    /** Values beyond this lie in an outer bin. */
    private static final double OUTER = 0.999;

    private static final double SMALLEST = 1e-12;

    private final NoiseSchedule schedule;
    private final AncestralSampler.Variance variance;
    private final Tensor meanStart; // [T]
    private final Tensor logSmall; // [T]
    private final Tensor logLarge; // [T]

    /**
     * The bound of a model; its tables join the innermost scope.
     *
     * @param variance σ_p² where the model does not say it
     */
    public VariationalBound(GaussianDiffusion diffusion, AncestralSampler.Variance variance) {
        schedule = diffusion.schedule();
        this.variance = variance;
        meanStart = diffusion.table(t -> schedule.transition(t).meanStart());
        logSmall = diffusion.table(this::logSmall);
        logLarge = diffusion.table(t -> Math.log(schedule.beta(t)));
    }

    private double logSmall(int t) {
        return Math.log(schedule.transition(Math.max(1, t)).posteriorVariance());
    }

    /**
     * L_t of each image at its own timestep, in bits per dimension.
     *
     * @param x0 [N,H,W,C]
     * @param t [N]
     * @param start x̂₀ [N,H,W,C]
     * @param fraction as in {@link Estimate}, or {@code null}
     * @return [N]
     */
    public Variable terms(Tensor x0, Tensor t, Variable start, Variable fraction) {
        Variable small = Variable.constant(perImage(logSmall, t));
        Variable logVariance = logVariance(t, fraction, x0);
        Variable error = mul(Variable.constant(perImage(meanStart, t)), sub(Variable.constant(x0), start));
        Variable precision = exp(neg(logVariance));
        Variable ratio = mul(add(exp(small), square(error)), precision);
        Variable kl = scale(shift(add(sub(logVariance, small), ratio), -1), 0.5);
        Variable rest = neg(logLikelihood(x0, start, logVariance));
        Tensor later = t.map(BinaryOp.GREATER_EQUAL, t.scalar(0.5)).reshape(-1, 1, 1, 1); // 1 where t > 0
        Variable both = add(
                mul(kl, Variable.constant(later)),
                mul(rest, Variable.constant(later.mul(-1).add(1))));
        return scale(mean(reshape(both, x0.shape().get(0), -1), 1), 1 / LN2);
    }

    /** ln σ_p² [N,H,W,C] or, when it is fixed, the same shape from a table. */
    private Variable logVariance(Tensor t, Variable fraction, Tensor x0) {
        Tensor small = perImage(logSmall, t);
        Tensor large = perImage(logLarge, t);
        if (fraction != null) return add(mul(fraction, Variable.constant(large.sub(small))), Variable.constant(small));
        Tensor fixed = small;
        if (variance == AncestralSampler.Variance.FIXED_LARGE) {
            Tensor later = t.map(BinaryOp.GREATER_EQUAL, t.scalar(0.5)).reshape(-1, 1, 1, 1);
            fixed = small.add(large.sub(small).mul(later)); // at t = 0 the small one, as in the authors' code
        }
        return Variable.constant(x0.fullLike(0).add(fixed));
    }

    /**
     * ln of the mass of N(mean, σ²) in the bin of each value, with gradients; Φ(z) ≈ ½ (1 + tanh √(2/π) (z + 0.044715 z³)),
     * which is off by at most 3e−4.
     */
    private static Variable logLikelihood(Tensor x0, Variable mean, Variable logVariance) {
        Variable centred = sub(Variable.constant(x0), mean);
        Variable inverse = exp(scale(logVariance, -0.5));
        Variable above = normal(mul(inverse, shift(centred, HALF_BIN)));
        Variable below = normal(mul(inverse, shift(centred, -HALF_BIN)));
        Tensor low = x0.mul(-1).map(BinaryOp.GREATER_EQUAL, x0.scalar(OUTER)); // 1 in the lowest bin: nothing below it
        Tensor high = x0.map(BinaryOp.GREATER_EQUAL, x0.scalar(OUTER)); // 1 in the highest: all above it
        Variable top = add(mul(above, Variable.constant(high.mul(-1).add(1))), Variable.constant(high));
        Variable bottom = mul(below, Variable.constant(low.mul(-1).add(1)));
        return log(clamp(sub(top, bottom), SMALLEST, 1));
    }

    private static Variable normal(Variable z) {
        Variable inner = mul(z, shift(scale(square(z), 0.044715), 1));
        return scale(shift(tanh(scale(inner, Special.SQRT2_PI)), 1), 0.5);
    }

    /** L_0 of each image with Φ to full precision, for reports: x0, start, fraction [N,H,W,C] → N numbers. */
    public double[] decoder(Tensor x0, Tensor start, Tensor fraction) {
        double[] x = x0.toDoubles();
        double[] mean = start.toDoubles();
        double[] f = fraction == null ? null : fraction.toDoubles();
        double large = Math.log(schedule.beta(0));
        double[] bits = new double[x0.shape().get(0)];
        int values = x.length / bits.length;
        for (int i = 0; i < x.length; i++) {
            double logVariance = f == null ? logSmall(0) : f[i] * large + (1 - f[i]) * logSmall(0);
            double inverse = Math.exp(-0.5 * logVariance) * Special.SQRT1_2;
            double above = x[i] >= OUTER ? 1 : Special.erf((x[i] - mean[i] + HALF_BIN) * inverse);
            double below = x[i] <= -OUTER ? -1 : Special.erf((x[i] - mean[i] - HALF_BIN) * inverse);
            bits[i / values] -= Math.log(Math.max(SMALLEST, (above - below) / 2)) / LN2 / values;
        }
        return bits;
    }

    /** L_T of each image, in bits per dimension: x0 [N,H,W,C] → N numbers. */
    public double[] prior(Tensor x0) {
        double[] x = x0.toDoubles();
        double[] bits = new double[x0.shape().get(0)];
        int values = x.length / bits.length;
        double signal = schedule.alphaBar(schedule.timesteps() - 1);
        for (int i = 0; i < x.length; i++)
            bits[i / values] += 0.5 * (signal * x[i] * x[i] - signal - Math.log(1 - signal)) / LN2 / values;
        return bits;
    }
}
