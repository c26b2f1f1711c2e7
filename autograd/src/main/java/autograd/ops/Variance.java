package autograd.ops;

import autograd.Variable;

/** The biased variance over all elements: mean((x − mean x)²). */
public final class Variance {
    private Variance() {}

    public static Variable variance(Variable x) {
        return Mean.mean(Pointwise.square(Sub.sub(x, Mean.mean(x))));
    }
}
