package ddpm.diffusion;

import tensor.Tensor;

/** Turns noise into images with a trained ε_θ. */
public interface Sampler {
    /** Sees every intermediate state; the tensors are gone afterwards, so copy what is to be kept. */
    @FunctionalInterface
    interface Observer {
        /** Watches nothing. */
        Observer NONE = (t, x, start) -> {};

        /**
         * After a step.
         *
         * @param t the timestep whose noise has just been removed; the first is T−1, the last 0
         * @param x x_{t−1} [N,H,W,C]; after t = 0 the result
         * @param start x̂₀ as estimated in this step
         */
        void step(int t, Tensor x, Tensor start);
    }

    /**
     * Runs the reverse process.
     *
     * @param noise x_T [N,H,W,C], standard normal
     * @return x₀ [N,H,W,C], in the scope in which this was called
     */
    Tensor sample(Denoiser denoiser, Tensor noise, Observer observer);
}
