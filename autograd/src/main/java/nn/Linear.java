package nn;

import static autograd.ops.Concat.concat;
import static autograd.ops.Conv2d.conv2d;
import static autograd.ops.Linear.linear;
import static autograd.ops.Reshape.reshape;

import autograd.Variable;
import java.util.Arrays;
import tensor.Shape;
import tensor.backend.Conv2dParams;

/** y = x wᵀ + b along the last axis: {@code weight} [out, in], {@code bias} [out]. x [.., in] → [.., out]. */
public final class Linear extends UnaryLayer {
    private final Parameter weight;
    private final Parameter bias;

    public Linear(Init init, int in, int out) {
        weight = parameter("weight", init.weight(Shape.of(out, in), in, out), Parameter.Layout.PLAIN);
        bias = parameter("bias", init.bias(Shape.of(out), in), Parameter.Layout.PLAIN);
    }

    /** Values of a result. */
    public int out() {
        return bias.value().shape().get(0);
    }

    /**
     * Several maps of one x, their results side by side: one product by the weights below one another. x [.., in] → [.., the
     * sum of out].
     */
    public static Variable sideBySide(Variable x, Linear... maps) {
        Variable[] weights = Arrays.stream(maps).map(m -> m.weight.like(x)).toArray(Variable[]::new);
        Variable[] biases = Arrays.stream(maps).map(m -> m.bias.like(x)).toArray(Variable[]::new);
        return linear(x, concat(0, weights), concat(0, biases));
    }

    /** z + x wᵀ + b for images, the end of a residual block: a convolution of 1x1. x [N,H,W,in], z [N,H,W,out]. */
    public Variable onto(Variable z, Variable x) {
        Shape shape = weight.value().shape();
        Variable filters = reshape(weight.like(x), shape.get(0), 1, 1, shape.get(1));
        return conv2d(Conv2dParams.of(1, 0), x, filters, bias.like(x), z);
    }

    @Override
    public Variable forward(Variable x) {
        return linear(x, weight.like(x), bias.like(x));
    }
}
