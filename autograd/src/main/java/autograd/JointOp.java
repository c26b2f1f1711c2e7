package autograd;

import tensor.Tensor;

/**
 * An {@link Op} with several values, such as all parameters of a network rounded in one call. Where the loss does not depend
 * on one of them its gradient is {@code null}.
 */
@FunctionalInterface
public interface JointOp {
    /** Values and pullback at these inputs. Inputs are never written to. */
    Result apply(Tensor... inputs);

    /** The name under which profiles and errors speak of this op. */
    default String name() {
        return getClass().getSimpleName();
    }

    /** (dy₀, dy₁, …) ↦ (dx₀, dx₁, …), see {@link autograd.Pullback}; some dy may be {@code null}, not all. */
    @FunctionalInterface
    interface Pullback {
        Tensor[] apply(Tensor[] dy, boolean[] needed);
    }

    /**
     * What applying an op yields.
     *
     * @param values y₀, y₁, …
     * @param pullback (dy₀, dy₁, …) ↦ (dx₀, dx₁, …)
     */
    record Result(Tensor[] values, Pullback pullback) {}
}
