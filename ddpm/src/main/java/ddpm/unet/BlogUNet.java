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
import tensor.backend.Conv2dParams;

/**
 * The network of the later text of "The Annotated Diffusion Model", parameter for parameter. Each level keeps two skips,
 * and the stem's output joins again before the head:
 *
 * <pre>down  x ─ block ─┬─ block ─ attention ─┬─ 2x2 space to depth, 1x1 (3x3 at the bottom)
 *                  skip                  skip
 * up    [x, skip] ─ block ─ [x, skip] ─ block ─ attention ─ nearest x2, 3x3 (3x3 alone at the top)
 * head  [x, stem] ─ block ─ 1x1 ─ ε</pre>
 */
final class BlogUNet extends UNet {
    /** One resolution. */
    private static final class Level extends Layer {
        final Block block1;
        final Block block2;
        final AttentionBlock attention;
        final UnaryLayer resample;

        Level(Block block1, Block block2, AttentionBlock attention, UnaryLayer resample) {
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
    private final Block middle1;
    private final AttentionBlock middleAttention;
    private final Block middle2;
    private final Block headBlock;
    private final Conv2d head;

    BlogUNet(AnnotatedConfig config, Ports ports, Init init, Supplier<Rng> dropout) {
        super(config, ports, init, 4 * config.dim());
        int timeWidth = 4 * config.dim();
        times = Block.times(config, timeWidth);
        int levels = config.levels();
        stem = child("init_conv", new Conv2d(init, inputs(), config.dim(), 1, 1, 0));
        time = child(
                "time_mlp", TimeEmbedding.numbered(init, TimeFeatures.sinusoids(init, config.dim(), 10000), timeWidth));
        for (int i = 0; i < levels; i++) {
            int in = i == 0 ? config.dim() : config.widthOf(i - 1);
            int out = config.widthOf(i);
            downs.add(child(
                    "downs." + i,
                    new Level(
                            Block.of(config, init, in, in, times, dropout),
                            Block.of(config, init, in, in, times, dropout),
                            new AttentionBlock(config.norm(), init, in, true),
                            i == levels - 1 ? new Conv2d(init, in, out, 3, 1, 1) : halve(init, in, out))));
        }
        for (int i = levels - 1; i >= 0; i--) {
            int in = i == 0 ? config.dim() : config.widthOf(i - 1);
            int out = config.widthOf(i);
            ups.add(child(
                    "ups." + (levels - 1 - i),
                    new Level(
                            Block.of(config, init, out + in, out, times, dropout),
                            Block.of(config, init, out + in, out, times, dropout),
                            new AttentionBlock(config.norm(), init, out, true),
                            i == 0 ? new Conv2d(init, out, in, 3, 1, 1) : twice(init, out, in))));
        }
        int bottom = config.widthOf(levels - 1);
        middle1 = child("mid_block1", Block.of(config, init, bottom, bottom, times, dropout));
        middleAttention = child("mid_attn", new AttentionBlock(config.norm(), init, bottom, false));
        middle2 = child("mid_block2", Block.of(config, init, bottom, bottom, times, dropout));
        headBlock = child("final_res_block", Block.of(config, init, 2 * config.dim(), config.dim(), times, dropout));
        Init last = config.zeroInit() ? init.with(Init.Rule.ZERO) : init;
        head = child("final_conv", new Conv2d(last, config.dim(), outputs(), 1, 1, 0));
    }

    private static UnaryLayer halve(Init init, int in, int out) {
        return new Sequential(UnaryLayer.of(x -> spaceToDepth(x, 2)), new Conv2d(init, 4 * in, out, 1, 1, 0));
    }

    /** The published code enlarges by a layer of its own, so that the convolution has the number 1. */
    static UnaryLayer twice(Init init, int in, int out) {
        Conv2dParams enlarging = Conv2dParams.of(1, 1).enlarging(2);
        return new Sequential(UnaryLayer.of(x -> x), new Conv2d(init, in, out, 3, enlarging, true));
    }

    @Override
    Variable forward(Variable x, Variable timesteps, Variable labels) {
        Variable[] t = times.forward(like(told(time.forward(timesteps), labels), x));
        Deque<Variable> skips = new ArrayDeque<>();
        Variable start = stem.forward(x);
        x = start;
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
