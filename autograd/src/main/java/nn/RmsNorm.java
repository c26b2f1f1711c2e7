package nn;

import static autograd.ops.Cast.like;
import static autograd.ops.RmsNorm.rmsNorm;

import autograd.Variable;
import tensor.Shape;

/**
 * {@link autograd.ops.RmsNorm} of every pixel over its channels, with a learned gain {@code g} [C], in the type of g. x [.., C] → same.
 */
public final class RmsNorm extends UnaryLayer {
    private final Parameter g;

    public RmsNorm(Init init, int channels) {
        g = parameter("g", init.gain(Shape.of(channels)), Parameter.Layout.CHANNEL);
    }

    @Override
    public Variable forward(Variable x) {
        return like(rmsNorm(like(x, g.variable()), g.variable()), x);
    }
}
