package ddpm.diffusion;

import autograd.Variable;
import tensor.Rng;
import tensor.Shape;
import tensor.Tensor;
import tensor.memory.Scope;

/**
 * Algorithm 2 of Ho et al. 2020: for t = T−1 … 0
 *
 * <pre>x_{t−1} = μ̃_t(x_t, x̂₀) + σ_t z      z ~ N(0, I), z = 0 at t = 0</pre>
 *
 * with x̂₀ from Eq. 15. Without clipping the mean is the paper's Eq. 11. The choice of σ_t² is {@link Variance}.
 */
public final class AncestralSampler implements Sampler {
    /** σ_t², §3.2 of the paper. */
    public enum Variance {
        /** β̃_t, the posterior variance: right when x₀ is a single point. What the notebook uses. */
        FIXED_SMALL,
        /** β_t: right when x₀ ~ N(0, I). What Ho et al. sample CIFAR-10 with. */
        FIXED_LARGE
    }

    private final GaussianDiffusion diffusion;
    private final Variance variance;
    private final boolean clip;
    private final Rng rng;

    /**
     * A sampler.
     *
     * @param clip whether x̂₀ is limited to [−1, 1] in every step
     * @param rng where z comes from
     */
    public AncestralSampler(GaussianDiffusion diffusion, Variance variance, boolean clip, Rng rng) {
        this.diffusion = diffusion;
        this.variance = variance;
        this.clip = clip;
        this.rng = rng;
    }

    @Override
    public Tensor sample(Denoiser denoiser, Tensor noise, Observer observer) {
        Tensor x = noise.emptyLike().set_(noise);
        for (int t = diffusion.schedule().timesteps() - 1; t >= 0; t--) {
            try (Scope scope = Scope.open("step " + t)) {
                Tensor time = x.empty(Shape.of(x.shape().get(0)));
                x.backend().fill(time, t);
                Tensor eps = denoiser.predictNoise(Variable.constant(x), Variable.constant(time))
                        .value();
                Tensor start = diffusion.estimate(x, t, eps, clip).start();
                Tensor mean = diffusion.posteriorMean(start, x, t);
                x.set_(t == 0 ? mean : mean.add(rng.normalLike(x).mul(sigma(t))));
                observer.step(t, x, start);
            }
        }
        return x;
    }

    /** σ_t. */
    private double sigma(int t) {
        NoiseSchedule schedule = diffusion.schedule();
        return Math.sqrt(variance == Variance.FIXED_SMALL ? schedule.posteriorVariance(t) : schedule.beta(t));
    }
}
