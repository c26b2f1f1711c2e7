package ddpm.unet;

import static autograd.ops.Add.add;
import static autograd.ops.Cast.like;
import static autograd.ops.Reshape.reshape;
import static autograd.ops.Slice.slice;

import autograd.Variable;
import java.util.function.Supplier;
import nn.Conv2d;
import nn.Dropout;
import nn.GroupNorm;
import nn.Init;
import nn.Linear;
import nn.StandardizedConv2d;
import tensor.Rng;
import tensor.backend.NormParams;

/**
 * Twice [3x3 convolution, group norm, SiLU] plus the input (after He et al. 2016), told the time in between:
 *
 * <pre>h = silu(norm₁(conv₁ x) · (1 + s) + b)      (s, b) = W silu(t)      with scale-shift
 * h = silu(norm₁(conv₁ x)) + W silu(t)                                 without
 * y = silu(norm₂(conv₂ dropout(h))) + R x      R a 1x1 convolution when the width changes, else nothing</pre>
 *
 * Names: {@code mlp.1, block1.proj, block1.norm, block2.proj, block2.norm, res_conv}.
 */
final class ResnetBlock extends Block {
    private static final double EPS = 1e-5;

    /** This block's place among the projections of the time; −1 for none. */
    private final int place;

    private final Conv2d conv1;
    private final GroupNorm norm1;
    private final Conv2d conv2;
    private final GroupNorm norm2;
    private final Conv2d shortcut;
    /** Where it is not part of the norm. */
    private final Dropout dropout;

    private final boolean scaleShift;
    private final int out;

    ResnetBlock(AnnotatedConfig config, Init init, int in, int out, TimeProjections times, Supplier<Rng> random) {
        this.out = out;
        scaleShift = config.scaleShift();
        NormParams norm = new NormParams(config.groups(), EPS, true);
        place = times == null
                ? -1
                : times.add(child("mlp.1", new Linear(init, times.width(), scaleShift ? 2 * out : out)));
        conv1 = child("block1.proj", convolution(config, init, in));
        // Where nothing is in between, dropout is part of the norm's kernel.
        boolean next = place < 0 || scaleShift;
        Dropout afterNorm = new Dropout(next ? config.dropout() : 0, random);
        dropout = new Dropout(next ? 0 : config.dropout(), random);
        norm1 = child("block1.norm", new GroupNorm(init, norm, out, afterNorm));
        conv2 = child("block2.proj", convolution(config, init, out));
        // The block ends in norm and SiLU, so it is this norm's gain that may start the residual branch at zero.
        Init last = config.zeroInit() ? init.with(Init.Rule.ZERO) : init;
        norm2 = child("block2.norm", new GroupNorm(last, norm, out));
        shortcut = in == out ? null : child("res_conv", new Conv2d(init, in, out, 1, 1, 0));
    }

    private Conv2d convolution(AnnotatedConfig config, Init init, int in) {
        return switch (config.filters()) {
            case PLAIN -> new Conv2d(init, in, out, 3, 1, 1);
            case STANDARDIZED -> new StandardizedConv2d(init, in, out, 3, 1, 1);
            case MISPRINTED -> new MisprintedConv2d(init, in, out);
        };
    }

    @Override
    Variable compute(Variable x, Variable[] times) {
        Variable h = conv1.forward(x);
        if (place < 0) {
            h = norm1.forward(h);
        } else {
            Variable condition = times[place];
            h = scaleShift
                    ? norm1.forward(h, slice(condition, 1, 0, out), slice(condition, 1, out, out))
                    : add(norm1.forward(h), reshape(like(condition, h), -1, 1, 1, out));
        }
        h = norm2.forward(conv2.forward(dropout.forward(h)));
        return add(h, shortcut == null ? x : shortcut.forward(x));
    }
}
