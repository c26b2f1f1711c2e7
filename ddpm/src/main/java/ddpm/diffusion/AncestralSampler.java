package ddpm.diffusion;

import tensor.Tensor;
import tensor.backend.UnaryOp;

/**
 * Algorithm 2 of Ho et al. 2020, over all timesteps or some of them:
 *
 * <pre>x_s = μ̃(x_t, x̂₀) + σ z      z ~ N(0, I), z = 0 in the last step</pre>
 *
 * with x̂₀ from Eq. 15 and μ̃ of the {@link Transition}. Over all timesteps, and without clipping, the mean is the paper's
 * Eq. 11. The choice of σ² is {@link Variance}; a model that has learned it is asked instead:
 * σ² = exp(f ln β + (1 − f) ln β̃), f its {@link Estimate#fraction} (Nichol and Dhariwal 2021, Eq. 15).
 */
public final class AncestralSampler implements Sampler {
    /** σ², §3.2 of the paper. */
    public enum Variance {
        /** β̃, the posterior variance: right when x₀ is a single point. What the notebook uses. */
        FIXED_SMALL,
        /** β: right when x₀ ~ N(0, I). What Ho et al. sample CIFAR-10 with; ruinous when timesteps are left out. */
        FIXED_LARGE,
        /** Between the two, for every value, as the network says (Nichol and Dhariwal 2021, Eq. 15). */
        LEARNED
    }

    private final NoiseSchedule schedule;
    private final Timesteps steps;
    private final Variance variance;
    private final Noise source;

    /** A sampler; z comes from {@code source}. */
    public AncestralSampler(NoiseSchedule schedule, Timesteps steps, Variance variance, Noise source) {
        this.schedule = schedule;
        this.steps = steps;
        this.variance = variance;
        this.source = source;
    }

    @Override
    public Tensor sample(Estimator model, Tensor noise, Observer observer) {
        return Walk.along(steps, model, noise, observer, this::step);
    }

    /** One step of Algorithm 2. */
    Tensor step(Tensor x, int t, int next, Estimate e) {
        Transition step = schedule.transition(t, next);
        Tensor mean = step.mean(e.start(), x);
        if (next == Timesteps.IMAGE) return mean;
        return mean.add(source.like(x).mul(sigma(step, e, x)));
    }

    /** σ, a number or, learned, one for each value. */
    private Tensor sigma(Transition step, Estimate e, Tensor x) {
        double small = step.posteriorVariance();
        double large = step.beta();
        if (e.fraction() == null && variance == Variance.LEARNED)
            throw new IllegalArgumentException("this network says no variances: choose fixed-small or fixed-large");
        if (e.fraction() == null) return x.scalar(Math.sqrt(variance == Variance.FIXED_SMALL ? small : large));
        return e.fraction()
                .mul(0.5 * Math.log(large / small))
                .add(0.5 * Math.log(small))
                .map(UnaryOp.EXP);
    }
}
