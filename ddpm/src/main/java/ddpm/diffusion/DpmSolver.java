package ddpm.diffusion;

import tensor.Tensor;

/**
 * DPM-Solver++ (2M) (Lu et al. 2022b, Algorithm 2): second order from one evaluation a step, by remembering the last x̂₀.
 * With a = √ᾱ, b = √(1−ᾱ), λ = ln(a/b) and h = λ_s − λ_t:
 *
 * <pre>x_s = (b_s/b_t) x_t + a_s (1 − e^{−h}) D      D = x̂₀ + (x̂₀ − x̂₀′) h / (2 h′)</pre>
 *
 * where x̂₀′ and h′ are those of the step before. The first step has none, the last (h = ∞) does not want one: D = x̂₀ there,
 * which is DDIM's step. Deterministic.
 */
public final class DpmSolver implements Sampler {
    private final NoiseSchedule schedule;
    private final Timesteps steps;

    public DpmSolver(NoiseSchedule schedule, Timesteps steps) {
        this.schedule = schedule;
        this.steps = steps;
    }

    @Override
    public Tensor sample(Estimator model, Tensor noise, Observer observer) {
        Tensor before = noise.fullLike(0); // x̂₀ of the last step
        double[] stepBefore = {Double.POSITIVE_INFINITY}; // its h: an infinite one gives x̂₀′ no weight
        return Walk.along(steps, model, noise, observer, (x, t, next, e) -> {
            double h = schedule.logSignalToNoise(next) - schedule.logSignalToNoise(t);
            Tensor direction = e.start();
            if (Double.isFinite(h) && Double.isFinite(stepBefore[0]))
                direction = direction.add(e.start().sub(before).mul(h / (2 * stepBefore[0])));
            before.set_(e.start());
            stepBefore[0] = h;
            double keep = schedule.sqrtOneMinusAlphaBar(next) / schedule.sqrtOneMinusAlphaBar(t);
            return x.mul(keep).add(direction.mul(schedule.sqrtAlphaBar(next) * -Math.expm1(-h)));
        });
    }
}
