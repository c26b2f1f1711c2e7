package autograd.ops;

import autograd.Variable;

/** The mean over all elements of |a − b|. */
public final class L1Loss {
    private L1Loss() {}

    /** a, b of one shape → rank 0. */
    public static Variable l1Loss(Variable a, Variable b) {
        return Mean.mean(Pointwise.abs(Sub.ofOneShape(a, b)));
    }
}
