package autograd.ops;

import autograd.Variable;

/** The mean over all elements of (a − b)². */
public final class MeanSquaredError {
    private MeanSquaredError() {}

    /** a, b of one shape → rank 0. */
    public static Variable meanSquaredError(Variable a, Variable b) {
        return Mean.mean(Pointwise.square(Sub.ofOneShape(a, b)));
    }
}
