package ddpm.unet;

import static autograd.ops.Cast.like;
import static autograd.ops.Concat.concat;
import static autograd.ops.SpaceToDepth.spaceToDepth;

import autograd.Variable;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.function.Supplier;
import nn.Conv2d;
import nn.Init;
import nn.Layer;
import nn.Sequential;
import nn.UnaryLayer;
import tensor.Rng;

/**
 * The network of lucidrains' denoising-diffusion-pytorch, parameter for parameter: the plan of {@link BlogUNet}, which
 * was written after it, with a 7x7 stem, RMS norms, and memories in every attention.
 *
 * <pre>down  x ─ block ─┬─ block ─ attention ─┬─ 2x2 space to depth, 1x1 (3x3 at the bottom)
 *                  skip                  skip
 * up    [x, skip] ─ block ─ [x, skip] ─ block ─ attention ─ nearest x2, 3x3 (3x3 alone at the top)
 * head  [x, stem] ─ block ─ 1x1</pre>
 */
final class LucidrainsUNet extends UNet {
    /** One resolution. */
    private static final class Level extends Layer {
        final RmsBlock block1;
        final RmsBlock block2;
        final MemoryAttention attention;
        final UnaryLayer resample;

        Level(RmsBlock block1, RmsBlock block2, MemoryAttention attention, UnaryLayer resample) {
            this.block1 = child("0", block1);
            this.block2 = child("1", block2);
            this.attention = child("2", attention);
            this.resample = child("3", resample);
        }
    }

    private final Conv2d stem;
    private final TimeEmbedding time;
    private final TimeProjections times;
    private final List<Level> downs = new ArrayList<>();
    private final List<Level> ups = new ArrayList<>();
    private final RmsBlock middle1;
    private final MemoryAttention middleAttention;
    private final RmsBlock middle2;
    private final RmsBlock headBlock;
    private final Conv2d head;

    LucidrainsUNet(LucidrainsConfig config, Ports ports, Init init, Supplier<Rng> dropout) {
        super(config, ports, init, 4 * config.dim());
        int levels = config.levels();
        times = new TimeProjections(4 * config.dim(), Activation.SILU);
        stem = child("init_conv", new Conv2d(init, inputs(), config.stem(), 7, 1, 3));
        TimeFeatures features = config.time() == LucidrainsConfig.Time.SINUSOIDAL
                ? TimeFeatures.sinusoids(init, config.dim(), config.theta())
                : TimeFeatures.learned(init, config.learnedWidth(), config.time() == LucidrainsConfig.Time.LEARNED);
        time = child("time_mlp", TimeEmbedding.numbered(init, features, 4 * config.dim()));
        for (int i = 0; i < levels; i++) {
            int in = config.widthOf(i - 1);
            int out = config.widthOf(i);
            downs.add(child(
                    "downs." + i,
                    new Level(
                            new RmsBlock(config, init, in, in, times, dropout),
                            new RmsBlock(config, init, in, in, times, dropout),
                            attention(
                                    config, init, in, i, config.fullAttention().get(i)),
                            i == levels - 1
                                    ? new Conv2d(init, in, out, 3, 1, 1)
                                    : new Sequential(
                                            UnaryLayer.of(x -> spaceToDepth(x, 2)),
                                            new Conv2d(init, 4 * in, out, 1, 1, 0)))));
        }
        int bottom = config.widthOf(levels - 1);
        middle1 = child("mid_block1", new RmsBlock(config, init, bottom, bottom, times, dropout));
        middleAttention = child("mid_attn", attention(config, init, bottom, levels - 1, true));
        middle2 = child("mid_block2", new RmsBlock(config, init, bottom, bottom, times, dropout));
        for (int i = levels - 1; i >= 0; i--) {
            int in = config.widthOf(i - 1);
            int out = config.widthOf(i);
            ups.add(child(
                    "ups." + (levels - 1 - i),
                    new Level(
                            new RmsBlock(config, init, out + in, out, times, dropout),
                            new RmsBlock(config, init, out + in, out, times, dropout),
                            attention(
                                    config, init, out, i, config.fullAttention().get(i)),
                            i == 0 ? new Conv2d(init, out, in, 3, 1, 1) : BlogUNet.twice(init, out, in))));
        }
        headBlock =
                child("final_res_block", new RmsBlock(config, init, 2 * config.stem(), config.stem(), times, dropout));
        head = child("final_conv", new Conv2d(last(config, init), config.stem(), outputs(), 1, 1, 0));
    }

    private static MemoryAttention attention(
            LucidrainsConfig config, Init init, int channels, int level, boolean full) {
        return new MemoryAttention(
                init,
                last(config, init),
                channels,
                config.heads().get(level),
                config.headWidth().get(level),
                !full);
    }

    /** How the last layer of a residual branch starts. */
    static Init last(LucidrainsConfig config, Init init) {
        return config.zeroInit() ? init.with(Init.Rule.ZERO) : init;
    }

    @Override
    Variable forward(Variable images, Variable timesteps, Variable labels) {
        Variable[] t = times.forward(like(told(time.forward(timesteps), labels), images));
        Deque<Variable> skips = new ArrayDeque<>();
        Variable start = stem.forward(images);
        Variable x = start;
        for (Level level : downs) {
            x = level.block1.forward(x, t);
            skips.push(x);
            x = level.attention.forward(level.block2.forward(x, t));
            skips.push(x);
            x = level.resample.forward(x);
        }
        x = middle2.forward(middleAttention.forward(middle1.forward(x, t)), t);
        for (Level level : ups) {
            x = level.block1.forward(concat(3, x, skips.pop()), t);
            x = level.block2.forward(concat(3, x, skips.pop()), t);
            x = level.resample.forward(level.attention.forward(x));
        }
        return head.forward(headBlock.forward(concat(3, x, start), t));
    }
}
