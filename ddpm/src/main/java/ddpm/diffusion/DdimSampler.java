package ddpm.diffusion;

import tensor.Tensor;

/**
 * DDIM (Song et al. 2021, Eq. 12 and 16): goes along the estimated noise to the next level.
 *
 * <pre>x_s = √ᾱ_s x̂₀ + √(1 − ᾱ_s − σ²) ε̂ + σ z      σ² = η² β̃</pre>
 *
 * η = 0 is deterministic, and Euler's method for the probability flow in σ(t) = √((1−ᾱ)/ᾱ): an error of first order.
 * η = 1 is the ancestral sampler with the small variance. The order of the pair (x̂₀, ε̂) matters when x̂₀ was clipped: ε̂
 * follows it.
 */
public final class DdimSampler implements Sampler {
    private final NoiseSchedule schedule;
    private final Timesteps steps;
    private final double eta;
    private final Noise source;

    /**
     * A sampler.
     *
     * @param eta share of the ancestral sampler's noise, in [0, 1]
     * @param source where z comes from; never asked when eta is 0
     */
    public DdimSampler(NoiseSchedule schedule, Timesteps steps, double eta, Noise source) {
        if (!(eta >= 0 && eta <= 1)) throw new IllegalArgumentException("eta needs a number in 0..1, not " + eta);
        this.schedule = schedule;
        this.steps = steps;
        this.eta = eta;
        this.source = source;
    }

    @Override
    public Tensor sample(Estimator model, Tensor noise, Observer observer) {
        return Walk.along(steps, model, noise, observer, (x, t, next, e) -> {
            Transition step = schedule.transition(t, next);
            double sigma2 = eta * eta * step.posteriorVariance();
            Tensor y = e.start()
                    .mul(Math.sqrt(step.to()))
                    .add(e.noise().mul(Math.sqrt(Math.max(0, 1 - step.to() - sigma2))));
            return sigma2 == 0 ? y : y.add(source.like(x).mul(Math.sqrt(sigma2)));
        });
    }
}
