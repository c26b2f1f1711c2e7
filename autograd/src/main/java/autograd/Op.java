package autograd;

import tensor.Tensor;

/**
 * A differentiable primitive: the function and its derivative in one class, formula first. {@link #apply} computes the
 * value and, together with it, the {@link Pullback}: what the backward pass needs is what the lambda captures.
 *
 * <p>Tensors made inside {@code apply} live as long as the pullback may need them: while a tape records, until the
 * sweep has passed; without a tape they belong to the innermost scope. No op handles broadcasting of gradients: the
 * tape sums every gradient down to its input's shape.
 */
@FunctionalInterface
public interface Op {
    /** Value and pullback at these inputs. Inputs are never written to. */
    Result apply(Tensor... inputs);

    /** The name under which profiles and errors speak of this op. */
    default String name() {
        return getClass().getSimpleName();
    }

    /**
     * What applying an op yields.
     *
     * @param value y
     * @param pullback dy ↦ (dx₀, dx₁, …)
     */
    record Result(Tensor value, Pullback pullback) {}
}
