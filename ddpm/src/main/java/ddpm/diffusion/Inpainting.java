package ddpm.diffusion;

import tensor.Tensor;

/**
 * Fills in what is missing of an image (RePaint, Lugmayr et al. 2022, Algorithm 1), with a model that was never trained for
 * it. In every step the known part comes from the image, with the noise of its timestep, and the rest from the model:
 *
 * <pre>x_s = m (√ᾱ_s x₀ + √(1−ᾱ_s) ε) + (1 − m) ancestral(x_t)
 * and, so that the two parts agree, some times back and again:  x_t = √α x_s + √(1−α) z,  α = ᾱ_t/ᾱ_s</pre>
 *
 * The known part of the result is the image itself.
 */
public final class Inpainting implements Sampler {
    private final NoiseSchedule schedule;
    private final Timesteps steps;
    private final AncestralSampler ancestral;
    private final Noise source;
    private final Tensor known;
    private final Tensor mask;
    private final int rounds;

    /**
     * A sampler for some images.
     *
     * @param known x₀ [N,H,W,C]; what it holds outside the mask does not matter
     * @param mask m, 1 where the image is known, 0 where not; broadcast to the images
     * @param rounds how often each step is taken, at least 1; 10 in the paper
     */
    public Inpainting(
            NoiseSchedule schedule,
            Timesteps steps,
            AncestralSampler.Variance variance,
            Noise source,
            Tensor known,
            Tensor mask,
            int rounds) {
        if (rounds < 1)
            throw new IllegalArgumentException("every step is taken at least once, not " + rounds + " times");
        this.schedule = schedule;
        this.steps = steps;
        this.source = source;
        this.known = known;
        this.mask = mask;
        this.rounds = rounds;
        ancestral = new AncestralSampler(schedule, steps, variance, source);
    }

    @Override
    public Tensor sample(Estimator model, Tensor noise, Observer observer) {
        return Walk.along(steps, model, noise, observer, (x, t, next, e) -> {
            Tensor y = joined(ancestral.step(x, t, next, e), next);
            double alpha = schedule.transition(t, next).alpha();
            for (int round = 1; round < rounds && next != Timesteps.IMAGE; round++) {
                Tensor back = y.mul(Math.sqrt(alpha)).add(source.like(x).mul(Math.sqrt(1 - alpha)));
                y = joined(ancestral.step(back, t, next, model.at(back, t)), next);
            }
            return y;
        });
    }

    /** m · known at timestep t + (1 − m) · made. */
    private Tensor joined(Tensor made, int t) {
        Tensor given = known;
        if (t != Timesteps.IMAGE)
            given = known.mul(schedule.sqrtAlphaBar(t)).add(source.like(known).mul(schedule.sqrtOneMinusAlphaBar(t)));
        return made.add(mask.mul(given.sub(made)));
    }
}
