package ddpm.unet;

import static autograd.ops.Cast.like;
import static autograd.ops.Concat.concat;

import autograd.Variable;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.function.Supplier;
import nn.Conv2d;
import nn.ConvTranspose2d;
import nn.Init;
import nn.Layer;
import nn.UnaryLayer;
import tensor.Rng;

/**
 * The network of the notebook "The Annotated Diffusion Model", parameter for parameter, so that a checkpoint loads into
 * the notebook's class. For widths w₀ (stem), w₁ … w_L:
 *
 * <pre>x ── 7x7 ─▶ w₀ ─┬─ block, block, attention ─┬─▶ … ─▶ w_L ── block, attention, block ──┐   down: 4x4, stride 2
 *                  level 1              skip₁            skip_L                          │
 * ε ◀─ 1x1 ─ block ◀─ … ◀─ attention, block, block ◀─ [x, skip] ◀────────────────────────┘   up: transposed 4x4</pre>
 *
 * There are L levels down but L−1 up: the skip of the full resolution has no partner. The notebook pushes it all the
 * same and never takes it; here it is not kept, which changes no number. It likewise tests for a last level on the way
 * up that can never come; that test is gone.
 */
final class NotebookUNet extends UNet {
    /** One resolution: two blocks, attention, resampling ({@code null} at the bottom). */
    private static final class Level extends Layer {
        final Block block1;
        final Block block2;
        final AttentionBlock attention;
        final UnaryLayer resample;

        Level(
                AnnotatedConfig config,
                Init init,
                int in,
                int out,
                TimeProjections times,
                Supplier<Rng> dropout,
                UnaryLayer resample) {
            block1 = child("0", Block.of(config, init, in, out, times, dropout));
            block2 = child("1", Block.of(config, init, out, out, times, dropout));
            attention = child("2", new AttentionBlock(config.norm(), init, out, true));
            this.resample = resample == null ? null : child("3", resample);
        }

        Variable features(Variable x, Variable[] t) {
            return attention.forward(block2.forward(block1.forward(x, t), t));
        }
    }

    private final Conv2d stem;
    private final TimeEmbedding time;
    private final TimeProjections times;
    private final List<Level> downs = new ArrayList<>();
    private final List<Level> ups = new ArrayList<>();
    private final Block middle1;
    private final AttentionBlock middleAttention;
    private final Block middle2;
    private final Block headBlock;
    private final Conv2d head;

    NotebookUNet(AnnotatedConfig config, Ports ports, Init init, Supplier<Rng> dropout) {
        super(config, ports, init, 4 * config.dim());
        int timeWidth = 4 * config.dim();
        times = Block.times(config, timeWidth);
        int levels = config.levels();
        int stemWidth = config.stem();
        stem = child("init_conv", new Conv2d(init, inputs(), stemWidth, 7, 1, 3));
        time = child(
                "time_mlp", TimeEmbedding.numbered(init, TimeFeatures.sinusoids(init, config.dim(), 10000), timeWidth));
        for (int i = 0; i < levels; i++) {
            int in = i == 0 ? stemWidth : config.widthOf(i - 1);
            int out = config.widthOf(i);
            UnaryLayer down = i == levels - 1 ? null : new Conv2d(init, out, out, 4, 2, 1);
            downs.add(child("downs." + i, new Level(config, init, in, out, times, dropout, down)));
        }
        int bottom = config.widthOf(levels - 1);
        for (int i = levels - 1; i >= 1; i--) {
            int out = config.widthOf(i - 1);
            UnaryLayer up = new ConvTranspose2d(init, out, out, 4, 2, 1);
            ups.add(child(
                    "ups." + (levels - 1 - i),
                    new Level(config, init, 2 * config.widthOf(i), out, times, dropout, up)));
        }
        middle1 = child("mid_block1", Block.of(config, init, bottom, bottom, times, dropout));
        middleAttention = child("mid_attn", new AttentionBlock(config.norm(), init, bottom, false));
        middle2 = child("mid_block2", Block.of(config, init, bottom, bottom, times, dropout));
        int first = config.widthOf(0);
        headBlock = child("final_conv.0", Block.of(config, init, first, first, null, dropout));
        Init last = config.zeroInit() ? init.with(Init.Rule.ZERO) : init;
        head = child("final_conv.1", new Conv2d(last, first, outputs(), 1, 1, 0));
    }

    @Override
    Variable forward(Variable x, Variable timesteps, Variable labels) {
        Variable[] t = times.forward(like(told(time.forward(timesteps), labels), x));
        Deque<Variable> skips = new ArrayDeque<>();
        x = stem.forward(x);
        for (Level level : downs) {
            x = level.features(x, t);
            if (level != downs.get(0)) skips.push(x);
            if (level.resample != null) x = level.resample.forward(x);
        }
        x = middle2.forward(middleAttention.forward(middle1.forward(x, t)), t);
        for (Level level : ups) x = level.resample.forward(level.features(concat(3, x, skips.pop()), t));
        return head.forward(headBlock.forward(x, null));
    }
}
