package ddpm.unet;

import static autograd.ops.Add.add;
import static autograd.ops.Attention.attention;
import static autograd.ops.Concat.concat;
import static autograd.ops.Pointwise.silu;
import static autograd.ops.Reshape.reshape;

import autograd.Variable;
import autograd.ops.Upsample;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.function.Supplier;
import nn.Conv2d;
import nn.Dropout;
import nn.GroupNorm;
import nn.Init;
import nn.Layer;
import nn.Linear;
import tensor.Rng;
import tensor.Shape;
import tensor.backend.Conv2dParams;
import tensor.backend.NormParams;

/**
 * The network of Ho et al. 2020 (the authors' {@code unet.py}), with the parameter names of diffusers'
 * {@code UNet2DModel}, in which its published weights are found.
 *
 * <pre>down  level i: blocksPerLevel × [block (+ attention)], then 3x3 stride 2 (zeros right and below only)
 * mid   block, attention, block
 * up    level i: (blocksPerLevel + 1) × [join a skip, block (+ attention)], then nearest x2 and 3x3
 * ε     = conv(silu(norm x))</pre>
 *
 * The output of the stem, of every block and of every downsampling is a skip. One attention head over all channels. The
 * last convolution of every block, every attention's output and the network's last convolution start at zero.
 */
final class DdpmUNet extends UNet {
    private static final double EPS = 1e-6;

    /** norm, SiLU, convolution, plus the time; norm, SiLU, dropout, convolution, plus the input. */
    private static final class ResidualBlock extends Layer {
        private final GroupNorm norm1;
        private final Conv2d conv1;
        private final Linear time;
        private final GroupNorm norm2;
        private final Conv2d conv2;
        private final Conv2d shortcut;
        private final Dropout dropout;
        private final int out;

        ResidualBlock(UNetConfig config, Init init, int in, int out, Supplier<Rng> random) {
            this.out = out;
            NormParams norm = new NormParams(config.groups(), EPS, true);
            norm1 = child("norm1", new GroupNorm(init, norm, in));
            conv1 = child("conv1", new Conv2d(init, in, out, 3, 1, 1));
            time = child("time_emb_proj", new Linear(init, 4 * config.dim(), out));
            norm2 = child("norm2", new GroupNorm(init, norm, out));
            conv2 = child("conv2", new Conv2d(last(config, init), out, out, 3, 1, 1));
            shortcut = in == out ? null : child("conv_shortcut", new Conv2d(init, in, out, 1, 1, 0));
            dropout = new Dropout(config.dropout(), random);
        }

        Variable forward(Variable x, Variable t) {
            return local("block", () -> {
                Variable h = conv1.forward(norm1.forward(x));
                h = add(h, reshape(time.forward(silu(t)), -1, 1, 1, out));
                h = conv2.forward(dropout.forward(norm2.forward(h)));
                return add(h, shortcut == null ? x : shortcut.forward(x));
            });
        }
    }

    /** x + out(softmax(q kᵀ / √C) v), with q, k, v linear in norm(x); one head. */
    private static final class SelfAttention extends Layer {
        private final GroupNorm norm;
        private final Linear q;
        private final Linear k;
        private final Linear v;
        private final Linear out;

        SelfAttention(UNetConfig config, Init init, int channels) {
            norm = child("group_norm", new GroupNorm(init, config.groups(), channels, EPS));
            q = child("to_q", new Linear(init, channels, channels));
            k = child("to_k", new Linear(init, channels, channels));
            v = child("to_v", new Linear(init, channels, channels));
            out = child("to_out.0", new Linear(last(config, init), channels, channels));
        }

        Variable forward(Variable x) {
            return local("attention", () -> {
                Shape s = x.shape();
                int c = s.get(3);
                Variable tokens = reshape(norm.forward(x), s.get(0), s.get(1) * s.get(2), c);
                Variable qkv = concat(2, q.forward(tokens), k.forward(tokens), v.forward(tokens));
                Variable y = out.forward(attention(qkv, 1, 1 / Math.sqrt(c)));
                return add(reshape(y, s.toArray()), x);
            });
        }
    }

    /** One resolution on either way. */
    private static final class Level extends Layer {
        final List<ResidualBlock> blocks = new ArrayList<>();
        final List<SelfAttention> attentions = new ArrayList<>();
        Conv2d resample;

        void resample(String name, Conv2d convolution) {
            resample = child(name, convolution);
        }

        void block(UNetConfig config, Init init, int in, int out, boolean attention, Supplier<Rng> dropout) {
            int j = blocks.size();
            blocks.add(child("resnets." + j, new ResidualBlock(config, init, in, out, dropout)));
            if (attention) attentions.add(child("attentions." + j, new SelfAttention(config, init, out)));
        }

        Variable forward(int j, Variable x, Variable t) {
            Variable h = blocks.get(j).forward(x, t);
            return attentions.isEmpty() ? h : attentions.get(j).forward(h);
        }
    }

    private final Conv2d stem;
    private final TimeEmbedding time;
    private final List<Level> downs = new ArrayList<>();
    private final List<Level> ups = new ArrayList<>();
    private final ResidualBlock middle1;
    private final SelfAttention middleAttention;
    private final ResidualBlock middle2;
    private final GroupNorm headNorm;
    private final Conv2d head;

    DdpmUNet(UNetConfig config, Init init, Supplier<Rng> dropout) {
        super(config);
        stem = child("conv_in", new Conv2d(init, config.channels(), config.dim(), 3, 1, 1));
        time = child("time_embedding", new TimeEmbedding(init, config.dim(), "linear_1", "linear_2", false));
        Deque<Integer> skipWidths = new ArrayDeque<>(List.of(config.dim()));
        int width = config.dim();
        for (int i = 0; i < config.levels(); i++) {
            Level level = child("down_blocks." + i, new Level());
            for (int j = 0; j < config.blocksPerLevel(); j++) {
                level.block(config, init, width, config.widthOf(i), attends(i), dropout);
                width = config.widthOf(i);
                skipWidths.push(width);
            }
            if (i < config.levels() - 1) {
                Conv2dParams halve = new Conv2dParams(2, 0, 0, 1, 1, 1);
                level.resample("downsamplers.0.conv", new Conv2d(init, width, width, 3, halve, true));
                skipWidths.push(width);
            }
            downs.add(level);
        }
        middle1 = child("mid_block.resnets.0", new ResidualBlock(config, init, width, width, dropout));
        middleAttention = child("mid_block.attentions.0", new SelfAttention(config, init, width));
        middle2 = child("mid_block.resnets.1", new ResidualBlock(config, init, width, width, dropout));
        for (int i = config.levels() - 1; i >= 0; i--) {
            Level level = child("up_blocks." + (config.levels() - 1 - i), new Level());
            for (int j = 0; j <= config.blocksPerLevel(); j++) {
                level.block(config, init, width + skipWidths.pop(), config.widthOf(i), attends(i), dropout);
                width = config.widthOf(i);
            }
            if (i > 0) level.resample("upsamplers.0.conv", new Conv2d(init, width, width, 3, 1, 1));
            ups.add(level);
        }
        headNorm = child("conv_norm_out", new GroupNorm(init, new NormParams(config.groups(), EPS, true), width));
        head = child("conv_out", new Conv2d(last(config, init), width, config.channels(), 3, 1, 1));
    }

    private boolean attends(int level) {
        return config().attentionLevels().contains(level);
    }

    private static Init last(UNetConfig config, Init init) {
        return config.zeroInit() ? init.with(Init.Rule.ZERO) : init;
    }

    @Override
    Variable forward(Variable x, Variable timesteps) {
        Variable t = time.forward(timesteps);
        Deque<Variable> skips = new ArrayDeque<>();
        x = stem.forward(x);
        skips.push(x);
        for (Level level : downs) {
            for (int j = 0; j < level.blocks.size(); j++) skips.push(x = level.forward(j, x, t));
            if (level.resample != null) skips.push(x = level.resample.forward(x));
        }
        x = middle2.forward(middleAttention.forward(middle1.forward(x, t)), t);
        for (Level level : ups) {
            for (int j = 0; j < level.blocks.size(); j++) x = level.forward(j, concat(3, x, skips.pop()), t);
            if (level.resample != null) x = level.resample.forward(Upsample.nearest(x, 2));
        }
        return head.forward(headNorm.forward(x));
    }
}
