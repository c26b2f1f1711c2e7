package ddpm.diffusion;

import autograd.Variable;

/** ε_θ: predicts the noise in x_t. A trained {@link ddpm.unet.UNet} is one; in tests, so is a formula. */
@FunctionalInterface
public interface Denoiser {
    /**
     * ε_θ(x_t, t).
     *
     * @param x noisy images [N,H,W,C]
     * @param t timestep of each image [N], whole numbers in 0 … T−1
     * @return the predicted noise [N,H,W,C]
     */
    Variable predictNoise(Variable x, Variable t);
}
