package optim;

import java.util.Map;
import tensor.Tensor;

/** Turns gradients into new parameter values, in place. */
public interface Optimizer {
    /**
     * One update.
     *
     * @param updates parameters and their gradients
     * @param learningRate step size of this update
     * @param gradientScale factor on every gradient, for clipping (see {@link Updates#clipFactor})
     */
    void step(Updates updates, double learningRate, double gradientScale);

    /** Number of updates so far. */
    long steps();

    /** What must be saved to go on exactly, by parameter name and slot ({@code "exp_avg/" + name}). */
    Map<String, Tensor> state();

    /** Continues after {@code steps} updates; the tensors of {@link #state} have been refilled. */
    void restore(long steps);
}
