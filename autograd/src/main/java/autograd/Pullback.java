package autograd;

import java.util.function.UnaryOperator;
import tensor.Tensor;

/** The transpose of a derivative, at one point: dy ↦ (dx₀, dx₁, …). */
@FunctionalInterface
public interface Pullback {
    /**
     * The gradients of the inputs.
     *
     * @param dy gradient of the value, of its shape and type; not to be written to
     * @param needed which inputs want one; the others may be {@code null} in the result
     */
    Tensor[] apply(Tensor dy, boolean[] needed);

    /**
     * A pullback that takes what other uses of its first input have contributed to that one's gradient, and adds its own in
     * the pass that computes it: a pass or two less at the end of every residual block.
     */
    @FunctionalInterface
    interface Adding extends Pullback {
        /**
         * As {@link Pullback#apply}, with dx₀ ← Σ before + the gradient.
         *
         * @param before at most two tensors of the shape and type of the first input, not to be written to
         */
        Tensor[] apply(Tensor dy, Tensor[] before, boolean[] needed);

        @Override
        default Tensor[] apply(Tensor dy, boolean[] needed) {
            return apply(dy, new Tensor[0], needed);
        }
    }

    /** One lambda for each input; only those needed are run. */
    @SafeVarargs
    @SuppressWarnings("varargs")
    static Pullback perInput(UnaryOperator<Tensor>... gradients) {
        return (dy, needed) -> {
            Tensor[] dx = new Tensor[gradients.length];
            for (int k = 0; k < dx.length; k++) if (needed[k]) dx[k] = gradients[k].apply(dy);
            return dx;
        };
    }
}
