package ddpm.unet;

import static autograd.ops.Add.add;
import static autograd.ops.Cast.like;
import static autograd.ops.Mul.mul;
import static autograd.ops.Pointwise.silu;
import static autograd.ops.Reshape.reshape;
import static autograd.ops.Shift.shift;
import static autograd.ops.Slice.slice;

import autograd.Variable;
import java.util.function.Supplier;
import nn.Conv2d;
import nn.Dropout;
import nn.Init;
import nn.Layer;
import nn.Linear;
import nn.RmsNorm;
import tensor.Rng;

/**
 * The residual block of {@link LucidrainsUNet}: twice [3x3 convolution, RMS norm, SiLU] plus the input, the time scaling
 * and shifting the first norm's output.
 *
 * <pre>h = dropout(silu(norm₁(conv₁ x) · (1 + s) + b))      (s, b) = W silu(t)
 * y = silu(norm₂(conv₂ h)) + R x                      R a 1x1 convolution when the width changes, else nothing</pre>
 *
 * Names: {@code mlp.1, block1.proj, block1.norm, block2.proj, block2.norm, res_conv}.
 */
final class RmsBlock extends Layer {
    /** This block's place among the projections of the time. */
    private final int place;

    private final Conv2d conv1;
    private final RmsNorm norm1;
    private final Conv2d conv2;
    private final RmsNorm norm2;
    private final Conv2d shortcut;
    private final Dropout dropout;
    private final int out;

    RmsBlock(LucidrainsConfig config, Init init, int in, int out, TimeProjections times, Supplier<Rng> random) {
        this.out = out;
        place = times.add(child("mlp.1", new Linear(init, times.width(), 2 * out)));
        conv1 = child("block1.proj", new Conv2d(init, in, out, 3, 1, 1));
        norm1 = child("block1.norm", new RmsNorm(init, out));
        conv2 = child("block2.proj", new Conv2d(init, out, out, 3, 1, 1));
        norm2 = child("block2.norm", new RmsNorm(LucidrainsUNet.last(config, init), out));
        shortcut = in == out ? null : child("res_conv", new Conv2d(init, in, out, 1, 1, 0));
        dropout = new Dropout(config.dropout(), random);
    }

    Variable forward(Variable x, Variable[] times) {
        return local("block", () -> {
            Variable p = reshape(like(times[place], x), -1, 1, 1, 2 * out);
            Variable h = mul(norm1.forward(conv1.forward(x)), shift(slice(p, 3, 0, out), 1));
            h = dropout.forward(silu(add(h, slice(p, 3, out, out))));
            h = silu(norm2.forward(conv2.forward(h)));
            return add(h, shortcut == null ? x : shortcut.forward(x));
        });
    }
}
