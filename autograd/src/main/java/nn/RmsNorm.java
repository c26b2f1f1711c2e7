package nn;

import static autograd.ops.RmsNorm.rmsNorm;

import autograd.Variable;
import tensor.Shape;

/** {@link autograd.ops.RmsNorm} of every pixel over its channels, with a learned gain {@code g} [C]. x [.., C] → same. */
public final class RmsNorm extends UnaryLayer {
    private final Parameter g;

    public RmsNorm(Init init, int channels) {
        g = parameter("g", init.gain(Shape.of(channels)), Parameter.Layout.CHANNEL);
    }

    @Override
    public Variable forward(Variable x) {
        return rmsNorm(x, g.variable());
    }
}
