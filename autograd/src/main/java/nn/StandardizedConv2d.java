package nn;

import static autograd.ops.Cast.like;
import static autograd.ops.Standardize.standardize;

import autograd.Variable;

/**
 * Convolution by a weight-standardised filter (Qiao et al. 2019): each filter is moved to mean 0 and scaled to variance
 * 1 before use, {@code ŵ = (w − mean) / √(var + eps)} over its R·S·C weights; works well with {@link GroupNorm}.
 */
public final class StandardizedConv2d extends Conv2d {
    private static final double EPS = 1e-5;

    public StandardizedConv2d(Init init, int in, int out, int kernel, int stride, int pad) {
        super(init, in, out, kernel, stride, pad);
    }

    @Override
    protected Variable filter(Variable x) {
        return like(standardize(weight().variable(), EPS), x);
    }
}
