package ddpm.diffusion;

import autograd.Variable;
import tensor.Tensor;

/**
 * Self-conditioning (Chen et al. 2023): the network sees, joined to x_t, the x̂₀ of the step before, clipped to [−1, 1], and
 * zeros in the first.
 * While training, the estimate comes from a first pass without gradients, for half of the images.
 */
public final class SelfConditioning implements Estimator {
    private final GaussianDiffusion diffusion;
    private final Denoiser network;
    private final Target target;
    private final boolean clip;
    private final Tensor last; // x̂₀ of the step before

    /** A model for one walk of images shaped like {@code noise}; its memory joins the innermost scope. */
    public SelfConditioning(GaussianDiffusion diffusion, Denoiser network, Target target, boolean clip, Tensor noise) {
        this.diffusion = diffusion;
        this.network = network;
        this.target = target;
        this.clip = clip;
        last = noise.fullLike(0);
    }

    @Override
    public Estimate at(Tensor x, int t) {
        Estimate estimate =
                diffusion.estimator(network.given(last), target, clip).at(x, t);
        last.set_(clip ? estimate.start() : estimate.start().clamp(-1, 1)); // as while training
        return estimate;
    }

    /**
     * What the network is given while training: its own x̂₀ [N,H,W,C], clipped and without gradients, times a mask.
     *
     * @param mask [N,1,1,1], 1 where an image sees its estimate, 0 where it sees nothing
     */
    public static Tensor estimate(
            GaussianDiffusion diffusion, Denoiser network, Target target, Tensor xt, Tensor t, Tensor mask) {
        Variable y = network.given(xt.fullLike(0)).predict(Variable.constant(xt), Variable.constant(t));
        Variable prediction = Output.of(y, xt.shape().get(3)).prediction();
        return diffusion.start(target, xt, t, prediction).value().clamp(-1, 1).mul(mask);
    }
}
