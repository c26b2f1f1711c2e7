package nn;

import static autograd.ops.Reshape.reshape;

import autograd.Variable;
import tensor.Shape;
import tensor.backend.NormParams;

/**
 * Normalisation of every pixel over its channels (Ba et al. 2016), with learned {@code g} and {@code b} [C]. It is the
 * group norm of images of one pixel. x [N,H,W,C] → same shape.
 *
 * <pre>y = (x − mean_c x) / √(var_c x + eps) · g + b      the biased variance</pre>
 */
public final class LayerNorm extends UnaryLayer {
    private final NormParams params;
    private final Parameter g;
    private final Parameter b;

    public LayerNorm(Init init, int channels, double eps) {
        params = new NormParams(1, eps, false);
        g = parameter("g", init.gain(Shape.of(channels)), Parameter.Layout.CHANNEL);
        b = parameter("b", init.constant(Shape.of(channels), 0), Parameter.Layout.CHANNEL);
    }

    @Override
    public Variable forward(Variable x) {
        int[] shape = x.shape().toArray();
        Variable pixels = reshape(x, -1, 1, shape[shape.length - 1]);
        return reshape(autograd.ops.GroupNorm.groupNorm(params, pixels, g.variable(), b.variable()), shape);
    }
}
