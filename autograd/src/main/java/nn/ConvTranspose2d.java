package nn;

import autograd.Variable;
import tensor.Shape;
import tensor.backend.Conv2dParams;

/**
 * Transposed convolution, the gradient of a strided one: {@code weight} [in,R,S,out] and {@code bias} [out]; see
 * {@link autograd.ops.ConvTranspose2d}. x [N,P,Q,in] → [N,H,W,out] with H = (P − 1)·stride + R − 2·pad.
 */
public final class ConvTranspose2d extends UnaryLayer {
    private final Conv2dParams params;
    private final Parameter weight;
    private final Parameter bias;

    public ConvTranspose2d(Init init, int in, int out, int kernel, int stride, int pad) {
        params = Conv2dParams.of(stride, pad);
        int fanIn = kernel * kernel * out; // PyTorch takes axis 1 of [in, out, R, S], whatever the direction
        int fanOut = kernel * kernel * in;
        weight = parameter(
                "weight", init.weight(Shape.of(in, kernel, kernel, out), fanIn, fanOut), Parameter.Layout.FILTER);
        bias = parameter("bias", init.bias(Shape.of(out), fanIn), Parameter.Layout.PLAIN);
    }

    @Override
    public Variable forward(Variable x) {
        return autograd.ops.ConvTranspose2d.convTranspose2d(params, x, weight.like(x), bias.like(x));
    }
}
