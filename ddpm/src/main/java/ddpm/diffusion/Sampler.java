package ddpm.diffusion;

import tensor.Tensor;

/** Turns noise into images with a trained model. */
@FunctionalInterface
public interface Sampler {
    /** Sees every intermediate state; the tensors are gone afterwards, so copy what is to be kept. */
    @FunctionalInterface
    interface Observer {
        /** Watches nothing. */
        Observer NONE = (t, x, start) -> {};

        /**
         * After a step.
         *
         * @param t the timestep just left behind: at first that of pure noise, at last where the image was reached from
         * @param x the state at the next timestep [N,H,W,C]; at last the result
         * @param start x̂₀ as estimated at t
         */
        void step(int t, Tensor x, Tensor start);
    }

    /**
     * Runs the reverse process.
     *
     * @param noise x_T [N,H,W,C], standard normal
     * @return x₀ [N,H,W,C], in the scope in which this was called
     */
    Tensor sample(Estimator model, Tensor noise, Observer observer);
}
