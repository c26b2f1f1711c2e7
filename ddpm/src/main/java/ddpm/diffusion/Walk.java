package ddpm.diffusion;

import tensor.Tensor;
import tensor.memory.Scope;

/** The one loop over timesteps; a sampler is what it does between two of them. */
final class Walk {
    private Walk() {}

    /** A sampler's own part. */
    @FunctionalInterface
    interface Step {
        /**
         * x at the next timestep.
         *
         * @param x the images at t [N,H,W,C], not to be written to
         * @param t where they are
         * @param next where they go: below t, at last {@link Timesteps#IMAGE}
         * @param estimate the model's reading of x
         */
        Tensor to(Tensor x, int t, int next, Estimate estimate);
    }

    /** Leads x_T through all timesteps; the result belongs to the scope in which this was called. */
    static Tensor along(Timesteps steps, Estimator model, Tensor noise, Sampler.Observer observer, Step step) {
        Tensor x = noise.emptyLike().set_(noise);
        for (int i = 0; i < steps.count(); i++) {
            int t = steps.at(i);
            try (Scope scope = Scope.open("step " + t)) {
                Estimate estimate = model.at(x, t);
                x.set_(step.to(x, t, steps.at(i + 1), estimate));
                observer.step(t, x, estimate.start());
            }
        }
        return x;
    }
}
