package autograd;

import tensor.Shape;
import tensor.Tensor;

/**
 * A tensor that may stand on a {@link Tape}. It is a <em>constant</em> (no gradient flows to it), a <em>leaf</em> (a
 * parameter, or an input one differentiates by) or the result of an {@link Op}. Two variables are equal only when they
 * are the same object: a gradient belongs to a variable, not to a value.
 */
public final class Variable {
    private final Tensor value;
    private final boolean needsGradient;

    private Variable(Tensor value, boolean needsGradient) {
        this.value = value;
        this.needsGradient = needsGradient;
    }

    /** A value that is not differentiated by. */
    public static Variable constant(Tensor value) {
        return new Variable(value, false);
    }

    /** A value to differentiate by. */
    public static Variable leaf(Tensor value) {
        return new Variable(value, true);
    }

    /** The result of an op on a tape. */
    static Variable recorded(Tensor value) {
        return new Variable(value, true);
    }

    public Tensor value() {
        return value;
    }

    public Shape shape() {
        return value.shape();
    }

    /** Whether gradients flow here while a tape records. */
    public boolean needsGradient() {
        return needsGradient;
    }

    /** The one element of a variable of size 1; waits for the device. */
    public double item() {
        return value.item();
    }

    @Override
    public String toString() {
        return (needsGradient ? "variable " : "constant ") + value;
    }
}
