package ddpm.unet;

import static autograd.ops.Cast.like;
import static autograd.ops.Concat.concat;
import static autograd.ops.Div.div;
import static autograd.ops.Reshape.reshape;
import static autograd.ops.Scale.scale;
import static autograd.ops.Shift.shift;

import autograd.Variable;
import ddpm.unet.UNet2DBlock.Resample;
import ddpm.unet.UNet2DConfig.LevelKind;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.function.Supplier;
import nn.Conv2d;
import nn.GroupNorm;
import nn.Init;
import nn.Layer;
import tensor.Rng;
import tensor.backend.Conv2dParams;
import tensor.backend.NormParams;

/**
 * The network of Ho et al. 2020 (the authors' {@code unet.py}) and its descendants, option for option and name for name
 * diffusers' {@code UNet2DModel}, in which they are published.
 *
 * <pre>down  level i: layersPerBlock × [block (+ attention)], then half the resolution
 * mid   block, attention, block
 * up    level i: (layersPerBlock + 1) × [join a skip, block (+ attention)], then twice the resolution
 * ε     = conv(silu(norm x))</pre>
 *
 * The output of the stem, of every block and of every downsampling is a skip.
 */
final class UNet2D extends UNet {
    /** One resolution on either way. */
    private static final class Level extends Layer {
        private final UNet2DConfig config;
        private final Init init;
        private final TimeProjections times;
        private final Supplier<Rng> dropout;
        private final LevelKind kind;
        private final List<UNet2DBlock> blocks = new ArrayList<>();
        private final List<UNet2DAttention> attentions = new ArrayList<>();
        private Conv2d convolution;
        private UNet2DBlock block;

        Level(UNet2DConfig config, Init init, TimeProjections times, Supplier<Rng> dropout, LevelKind kind) {
            this.config = config;
            this.init = init;
            this.times = times;
            this.dropout = dropout;
            this.kind = kind;
        }

        void add(int in, int out) {
            int j = blocks.size();
            blocks.add(child("resnets." + j, new UNet2DBlock(config, init, in, out, Resample.NONE, 1, times, dropout)));
            if (kind == LevelKind.ATTENTION)
                attentions.add(child("attentions." + j, new UNet2DAttention(config, init, out, config.groups(), 1)));
        }

        void halve(int width) {
            if (kind == LevelKind.RESNET || kind == LevelKind.ATTENTION && config.resnetDown()) {
                block = new UNet2DBlock(config, init, width, width, Resample.HALF, 1, times, dropout);
                child("downsamplers.0", block);
            } else {
                int before = config.downsamplePadding();
                Conv2dParams half = new Conv2dParams(2, before, before, 1, 1, 1);
                convolution = child("downsamplers.0.conv", new Conv2d(init, width, width, 3, half, true));
            }
        }

        void twice(int width) {
            if (kind == LevelKind.RESNET || kind == LevelKind.ATTENTION && config.resnetUp()) {
                block = new UNet2DBlock(config, init, width, width, Resample.TWICE, 1, times, dropout);
                child("upsamplers.0", block);
            } else {
                Conv2dParams twice = Conv2dParams.of(1, 1).enlarging(2);
                convolution = child("upsamplers.0.conv", new Conv2d(init, width, width, 3, twice, true));
            }
        }

        boolean resamples() {
            return block != null || convolution != null;
        }

        Variable features(int j, Variable x, Variable[] t) {
            Variable h = blocks.get(j).forward(x, t);
            return attentions.isEmpty() ? h : attentions.get(j).forward(h);
        }

        Variable resampled(Variable x, Variable[] t) {
            return block != null ? block.forward(x, t) : convolution.forward(x);
        }
    }

    private final UNet2DConfig config;
    private final Conv2d stem;
    private final TimeEmbedding time;
    private final TimeProjections times;
    private final List<Level> downs = new ArrayList<>();
    private final List<Level> ups = new ArrayList<>();
    private final UNet2DBlock middle1;
    private final UNet2DAttention middleAttention;
    private final UNet2DBlock middle2;
    private final GroupNorm headNorm;
    private final Conv2d head;

    UNet2D(UNet2DConfig config, Ports ports, Init init, Supplier<Rng> dropout) {
        super(config, ports, init, config.timeWidth());
        this.config = config;
        int width = config.widths().get(0);
        stem = child("conv_in", new Conv2d(init, inputs(), width, 3, 1, 1));
        TimeFeatures features = child(
                "time_proj",
                switch (config.time()) {
                    case POSITIONAL -> TimeFeatures.timesteps(init, width, config.freqShift(), config.cosinesFirst());
                    case FOURIER -> TimeFeatures.fourier(init, width);
                    case LEARNED -> TimeFeatures.table(init, config.trainTimesteps(), width);
                });
        time = child("time_embedding", TimeEmbedding.named(init, features, config.timeWidth()));
        times = new TimeProjections(config.timeWidth(), config.activation());
        Deque<Integer> skips = new ArrayDeque<>(List.of(width));
        int levels = config.levels();
        for (int i = 0; i < levels; i++) {
            Level level = child(
                    "down_blocks." + i,
                    new Level(config, init, times, dropout, config.down().get(i)));
            for (int j = 0; j < config.layersPerBlock(); j++) {
                level.add(width, config.widths().get(i));
                width = config.widths().get(i);
                skips.push(width);
            }
            if (i < levels - 1) {
                level.halve(width);
                skips.push(width);
            }
            downs.add(level);
        }
        double divisor = config.middleScale();
        if (config.middle()) {
            middle1 = child(
                    "mid_block.resnets.0",
                    new UNet2DBlock(config, init, width, width, Resample.NONE, divisor, times, dropout));
            middleAttention = !config.middleAttention()
                    ? null
                    : child(
                            "mid_block.attentions.0",
                            new UNet2DAttention(config, init, width, config.middleGroups(), divisor));
            middle2 = child(
                    "mid_block.resnets.1",
                    new UNet2DBlock(config, init, width, width, Resample.NONE, divisor, times, dropout));
        } else {
            middle1 = null;
            middleAttention = null;
            middle2 = null;
        }
        for (int i = levels - 1; i >= 0; i--) {
            int place = levels - 1 - i;
            Level level = child(
                    "up_blocks." + place,
                    new Level(config, init, times, dropout, config.up().get(place)));
            for (int j = 0; j <= config.layersPerBlock(); j++) {
                level.add(width + skips.pop(), config.widths().get(i));
                width = config.widths().get(i);
            }
            if (i > 0) level.twice(width);
            ups.add(level);
        }
        headNorm =
                child("conv_norm_out", new GroupNorm(init, new NormParams(config.groups(), config.eps(), true), width));
        head = child("conv_out", new Conv2d(last(config, init), width, outputs(), 3, 1, 1));
    }

    /** How the last layer of a residual branch starts. */
    static Init last(UNet2DConfig config, Init init) {
        return config.zeroInit() ? init.with(Init.Rule.ZERO) : init;
    }

    @Override
    Variable forward(Variable images, Variable timesteps, Variable labels) {
        Variable[] t = times.forward(like(told(time.forward(timesteps), labels), images));
        Deque<Variable> skips = new ArrayDeque<>();
        Variable x = stem.forward(config.centerInput() ? shift(scale(images, 2), -1) : images);
        skips.push(x);
        for (Level level : downs) {
            for (int j = 0; j < level.blocks.size(); j++) skips.push(x = level.features(j, x, t));
            if (level.resamples()) skips.push(x = level.resampled(x, t));
        }
        if (middle1 != null) {
            x = middle1.forward(x, t);
            if (middleAttention != null) x = middleAttention.forward(x);
            x = middle2.forward(x, t);
        }
        for (Level level : ups) {
            for (int j = 0; j < level.blocks.size(); j++) x = level.features(j, concat(3, x, skips.pop()), t);
            if (level.resamples()) x = level.resampled(x, t);
        }
        Variable y = head.forward(headNorm.forward(x));
        return config.time() == UNet2DConfig.Time.FOURIER ? div(y, like(reshape(timesteps, -1, 1, 1, 1), y)) : y;
    }
}
