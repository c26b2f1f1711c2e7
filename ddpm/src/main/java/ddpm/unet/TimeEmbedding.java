package ddpm.unet;

import static autograd.ops.Concat.concat;
import static autograd.ops.Mul.mul;
import static autograd.ops.Pointwise.cos;
import static autograd.ops.Pointwise.gelu;
import static autograd.ops.Pointwise.silu;
import static autograd.ops.Pointwise.sin;
import static autograd.ops.Reshape.reshape;

import autograd.Variable;
import nn.Init;
import nn.Layer;
import nn.Linear;
import tensor.Shape;
import tensor.Tensor;

/**
 * Tells the network the timestep: sinusoids of t at dim/2 frequencies (Vaswani et al. 2017, §3.5), then a small MLP.
 *
 * <pre>e(t) = [sin(t ω₀) … sin(t ω_{h−1}), cos(t ω₀) … cos(t ω_{h−1})]      ω_i = 10000^{−i/(h−1)}, h = dim/2
 * y = W₂ act(W₁ e(t) + b₁) + b₂</pre>
 *
 * t [N] → [N, 4·dim].
 */
final class TimeEmbedding extends Layer {
    private final Variable frequencies; // [1, h]
    private final Linear first;
    private final Linear second;
    private final boolean gelu;

    /** Names of the two linear layers, as each published network has them, and its activation. */
    TimeEmbedding(Init init, int dim, String firstName, String secondName, boolean gelu) {
        int half = dim / 2;
        double[] omega = new double[half];
        for (int i = 0; i < half; i++) omega[i] = Math.exp(-Math.log(10000) * i / (half - 1));
        frequencies = Variable.constant(Tensor.of(init.backend(), init.dtype(), Shape.of(1, half), omega));
        first = child(firstName, new Linear(init, dim, 4 * dim));
        second = child(secondName, new Linear(init, 4 * dim, 4 * dim));
        this.gelu = gelu;
    }

    Variable forward(Variable t) {
        Variable angle = mul(reshape(t, -1, 1), frequencies); // [N, h]
        Variable h = first.forward(concat(1, sin(angle), cos(angle)));
        return second.forward(gelu ? gelu(h) : silu(h));
    }
}
