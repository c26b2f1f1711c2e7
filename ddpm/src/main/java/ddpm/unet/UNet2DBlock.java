package ddpm.unet;

import static autograd.ops.AveragePool.averagePool;
import static autograd.ops.Scale.scale;
import static autograd.ops.Slice.slice;

import autograd.Variable;
import autograd.ops.Upsample;
import java.util.function.Supplier;
import nn.Conv2d;
import nn.Dropout;
import nn.GroupNorm;
import nn.Init;
import nn.Layer;
import nn.Linear;
import tensor.Rng;
import tensor.backend.Conv2dParams;
import tensor.backend.NormParams;

/**
 * The residual block of {@link UNet2D}. r shrinks by the mean of 2x2 pixels, grows to the nearest pixel, or does nothing:
 *
 * <pre>h = conv₁(r(act(norm₁ x)))                    p = W t
 * h = act(norm₂(h + p))                         or, with scale-shift, p = (s, b):
 * h = act(norm₂(h) · (1 + s) + b)
 * y = (conv₂(dropout h) + R r(x)) / scale       R a 1x1 convolution when the width changes, else nothing</pre>
 *
 * t has been through act, and all blocks' W are one product ({@link TimeProjections}). Names: {@code norm1, conv1,
 * time_emb_proj, norm2, conv2, conv_shortcut}.
 */
final class UNet2DBlock extends Layer {
    /** What happens to the resolution. */
    enum Resample {
        NONE,
        HALF,
        TWICE
    }

    private final Resample resample;
    private final Activation activation;
    private final GroupNorm norm1;
    private final Conv2d conv1;
    /** This block's place among the projections of the time. */
    private final int place;

    private final GroupNorm norm2;
    private final Conv2d conv2;
    private final Conv2d shortcut;
    /** Where it is not part of the norm. */
    private final Dropout dropout;

    private final boolean scaleShift;
    private final double divisor;
    private final int out;

    UNet2DBlock(
            UNet2DConfig config,
            Init init,
            int in,
            int out,
            Resample resample,
            double divisor,
            TimeProjections times,
            Supplier<Rng> random) {
        this.resample = resample;
        this.divisor = divisor;
        this.out = out;
        activation = config.activation();
        scaleShift = config.scaleShift();
        // SiLU, the usual one, is part of the norm's kernel, and so is the dropout after it.
        boolean silu = activation == Activation.SILU;
        NormParams norm = new NormParams(config.groups(), config.eps(), silu);
        Dropout afterNorm = new Dropout(silu ? config.dropout() : 0, random);
        dropout = new Dropout(silu ? 0 : config.dropout(), random);
        norm1 = child("norm1", new GroupNorm(init, norm, in));
        Conv2dParams twice = Conv2dParams.of(1, 1).enlarging(resample == Resample.TWICE ? 2 : 1);
        conv1 = child("conv1", new Conv2d(init, in, out, 3, twice, true));
        Linear time = child("time_emb_proj", new Linear(init, times.width(), scaleShift ? 2 * out : out));
        place = scaleShift ? times.add(time) : times.add(time, conv1);
        norm2 = child("norm2", new GroupNorm(init, norm, out, afterNorm));
        conv2 = child("conv2", new Conv2d(UNet2D.last(config, init), out, out, 3, 1, 1));
        shortcut = in == out ? null : child("conv_shortcut", new Conv2d(init, in, out, 1, 1, 0));
    }

    /** x [N,H,W,in], the projections of the time for all blocks → [N,H',W',out]. */
    Variable forward(Variable x, Variable[] times) {
        return local("block", () -> {
            Variable h = activated(norm1.forward(x));
            if (resample == Resample.HALF) h = averagePool(h, 2); // conv1 enlarges by itself
            Variable p = times[place];
            h = scaleShift
                    ? norm2.forward(conv1.forward(h), slice(p, 1, 0, out), slice(p, 1, out, out))
                    : norm2.forward(conv1.withoutBias(h), p);
            h = dropout.forward(activated(h));
            Variable kept = resampled(x);
            Variable y = shortcut == null ? conv2.onto(kept, h) : Conv2d.sum(conv2, h, shortcut, kept);
            return divisor == 1 ? y : scale(y, 1 / divisor);
        });
    }

    private Variable activated(Variable normalised) {
        return activation == Activation.SILU ? normalised : activation.of(normalised);
    }

    private Variable resampled(Variable x) {
        return switch (resample) {
            case NONE -> x;
            case HALF -> averagePool(x, 2);
            case TWICE -> Upsample.nearest(x, 2);
        };
    }
}
