package autograd;

import java.util.function.UnaryOperator;
import tensor.Tensor;

/** The transpose of a derivative, at one point: dy ↦ (dx₀, dx₁, …). */
@FunctionalInterface
public interface Pullback {
    /**
     * The gradients of the inputs.
     *
     * @param dy gradient of the value, of its shape; not to be written to
     * @param needed which inputs want one; the others may be {@code null} in the result
     */
    Tensor[] apply(Tensor dy, boolean[] needed);

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
