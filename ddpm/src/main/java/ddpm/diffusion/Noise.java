package ddpm.diffusion;

import tensor.Tensor;

/** Where a sampler's fresh noise comes from: an {@code Rng::normalLike}, or {@link ImageNoise}. */
@FunctionalInterface
public interface Noise {
    /** The next standard normal draws, shaped like x. */
    Tensor like(Tensor x);
}
