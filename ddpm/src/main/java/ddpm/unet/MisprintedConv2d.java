package ddpm.unet;

import static autograd.ops.Cast.like;
import static autograd.ops.Mean.mean;
import static autograd.ops.Mul.mul;
import static autograd.ops.Pointwise.sqrt;
import static autograd.ops.Pointwise.square;
import static autograd.ops.Reshape.reshape;
import static autograd.ops.Shift.shift;
import static autograd.ops.Sub.sub;

import autograd.Variable;
import nn.Conv2d;
import nn.Init;

/**
 * A 3x3 convolution by the filters ŵ = (w − mean) · √(var + eps), over the weights of each filter: what the blog printed
 * for a year in place of {@link nn.StandardizedConv2d}. Weights trained by its readers need it.
 */
final class MisprintedConv2d extends Conv2d {
    private static final double EPS = 1e-5;

    MisprintedConv2d(Init init, int in, int out) {
        super(init, in, out, 3, 1, 1);
    }

    @Override
    protected Variable filter(Variable x) {
        Variable w = weight().variable();
        Variable centred = sub(w, reshape(mean(w, 1, 2, 3), -1, 1, 1, 1));
        Variable variance = reshape(mean(square(centred), 1, 2, 3), -1, 1, 1, 1);
        return like(mul(centred, sqrt(shift(variance, EPS))), x);
    }
}
