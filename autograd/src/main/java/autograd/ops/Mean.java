package autograd.ops;

import autograd.Variable;

/** The mean over some axes, which vanish: {@link Sum}, divided by the number of elements. */
public final class Mean {
    private Mean() {}

    /** Over the given axes; over all of them when none is given. Negative axes count from the end. */
    public static Variable mean(Variable x, int... axes) {
        Variable sum = Sum.sum(x, axes);
        return Scale.scale(sum, (double) sum.shape().size() / x.shape().size());
    }
}
