package nn;

import autograd.Variable;
import tensor.Shape;

/** y = x wᵀ + b along the last axis: {@code weight} [out, in], {@code bias} [out]. x [.., in] → [.., out]. */
public final class Linear extends UnaryLayer {
    private final Parameter weight;
    private final Parameter bias;

    public Linear(Init init, int in, int out) {
        weight = parameter("weight", init.weight(Shape.of(out, in), in, out), Parameter.Layout.PLAIN);
        bias = parameter("bias", init.bias(Shape.of(out), in), Parameter.Layout.PLAIN);
    }

    @Override
    public Variable forward(Variable x) {
        return autograd.ops.Linear.linear(x, weight.like(x), bias.like(x));
    }
}
