package ddpm.diffusion;

import tensor.Tensor;

/**
 * What a model says about x_t, whatever its network predicts and whoever guides it. Samplers know models by this alone;
 * {@link GaussianDiffusion#estimator} makes one of a network.
 */
@FunctionalInterface
public interface Estimator {
    /** The reading of x [N,H,W,C], every image at timestep t; its tensors belong to the innermost scope. */
    Estimate at(Tensor x, int t);
}
