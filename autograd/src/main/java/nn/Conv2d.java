package nn;

import static autograd.ops.Add.add;
import static autograd.ops.Reshape.reshape;

import autograd.Variable;
import tensor.Shape;
import tensor.backend.Conv2dParams;

/**
 * Convolution with a learned filter: {@code weight} [K,R,S,C/groups] and {@code bias} [K]; see
 * {@link autograd.ops.Conv2d}. x [N,H,W,C] → [N,P,Q,K].
 */
public class Conv2d extends UnaryLayer {
    private final Conv2dParams params;
    private final Parameter weight;
    private final Parameter bias;

    /** A square kernel, the same padding on all sides, with bias. */
    public Conv2d(Init init, int in, int out, int kernel, int stride, int pad) {
        this(init, in, out, kernel, Conv2dParams.of(stride, pad), true);
    }

    public Conv2d(Init init, int in, int out, int kernel, Conv2dParams params, boolean withBias) {
        if (in % params.groups() != 0)
            throw new IllegalArgumentException(in + " channels cannot be cut into " + params.groups() + " groups");
        this.params = params;
        Shape shape = Shape.of(out, kernel, kernel, in / params.groups());
        int fanIn = kernel * kernel * in / params.groups();
        int fanOut = kernel * kernel * out / params.groups();
        weight = parameter("weight", init.weight(shape, fanIn, fanOut), Parameter.Layout.FILTER);
        bias = withBias ? parameter("bias", init.bias(Shape.of(out), fanIn), Parameter.Layout.PLAIN) : null;
    }

    /** The learned filter. */
    protected final Parameter weight() {
        return weight;
    }

    /** The filter in use, in the type of x. */
    protected Variable filter(Variable x) {
        return weight.like(x);
    }

    /** The filters of a 1x1 convolution without a bias as the rows of a matrix [K, C], in the type of x. */
    public final Variable matrix(Variable x) {
        Shape shape = weight.value().shape();
        return reshape(filter(x), shape.get(0), shape.get(1) * shape.get(2) * shape.get(3));
    }

    /** The bias [K] of a layer that has one, in the type of x. */
    public final Variable bias(Variable x) {
        return bias.like(x);
    }

    /** x ∗ w, without the bias of a layer that has one: for whom adds it elsewhere. */
    public final Variable withoutBias(Variable x) {
        return autograd.ops.Conv2d.conv2d(params, x, filter(x));
    }

    /** z + x ∗ w + b, for a layer with a bias: the end of a residual block; z [N,P,Q,K]. */
    public final Variable onto(Variable z, Variable x) {
        return autograd.ops.Conv2d.conv2d(params, x, filter(x), bias.like(x), z);
    }

    /** f(x) + g(z) for two convolutions with biases, which are added up first: one pass for both, and one for their gradient. */
    public static Variable sum(Conv2d f, Variable x, Conv2d g, Variable z) {
        Variable around = autograd.ops.Conv2d.conv2d(g.params, z, g.filter(z));
        Variable biases = add(f.bias.like(x), g.bias.like(x));
        return autograd.ops.Conv2d.conv2d(f.params, x, f.filter(x), biases, around);
    }

    @Override
    public final Variable forward(Variable x) {
        return bias == null
                ? autograd.ops.Conv2d.conv2d(params, x, filter(x))
                : autograd.ops.Conv2d.conv2d(params, x, filter(x), bias.like(x));
    }
}
