package ddpm.diffusion;

import tensor.Tensor;

/**
 * Heun's method for the probability flow (Karras et al. 2022, Algorithm 1), in the coordinates x̄ = x/√ᾱ, in which the flow
 * is dx̄/dσ = ε̂ with σ = √((1−ᾱ)/ᾱ):
 *
 * <pre>x̄′ = x̄_t + (σ_s − σ_t) ε̂(x̄_t, t)      x̄_s = x̄_t + (σ_s − σ_t) (ε̂(x̄_t, t) + ε̂(x̄′, s)) / 2</pre>
 *
 * Second order from two evaluations a step; the last step, to σ = 0, stays Euler's, and so does one from σ = ∞ (which, in
 * x, is DDIM's). Deterministic. {@link Timesteps#karras} is the list that it was published with.
 */
public final class HeunSampler implements Sampler {
    private final NoiseSchedule schedule;
    private final Timesteps steps;

    public HeunSampler(NoiseSchedule schedule, Timesteps steps) {
        this.schedule = schedule;
        this.steps = steps;
    }

    @Override
    public Tensor sample(Estimator model, Tensor noise, Observer observer) {
        return Walk.along(steps, model, noise, observer, (x, t, next, e) -> {
            double a = schedule.sqrtAlphaBar(next);
            Tensor euler = e.start().mul(a).add(e.noise().mul(schedule.sqrtOneMinusAlphaBar(next)));
            if (!corrects(schedule, t, next)) return euler;
            Tensor correction = model.at(euler, next).noise().sub(e.noise());
            return euler.add(correction.mul(a * (schedule.sigma(next) - schedule.sigma(t)) / 2));
        });
    }

    /** Whether the step from t asks a second time, at the timestep {@code next}. */
    static boolean corrects(NoiseSchedule schedule, int t, int next) {
        return next != Timesteps.IMAGE && schedule.alphaBar(t) != 0;
    }
}
