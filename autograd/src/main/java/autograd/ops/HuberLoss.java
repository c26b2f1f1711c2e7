package autograd.ops;

import autograd.Variable;

/** The mean over all elements of huber(a − b), also called smooth L1 with beta 1. */
public final class HuberLoss {
    private HuberLoss() {}

    /** a, b of one shape → rank 0. */
    public static Variable huberLoss(Variable a, Variable b) {
        return Mean.mean(Pointwise.huber(Sub.ofOneShape(a, b)));
    }
}
