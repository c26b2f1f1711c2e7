package bench.interop;

import ddpm.unet.UNet2DConfig;
import ddpm.unet.UNet2DConfig.LevelKind;
import ddpm.unet.UNet2DConfig.Time;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.function.UnaryOperator;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;

/** Diffusers' UNet2DModel from libtorch's layers. */
final class PeerUNet2D extends Peer {
    private final UNet2DConfig c;
    private final Conv stem;
    private final Tensor fixed;
    private final Linear time1;
    private final Linear time2;
    private final List<Level> downs = new ArrayList<>();
    private final List<Level> ups = new ArrayList<>();
    private Block middle1;
    private Attention middleAttention;
    private Block middle2;
    private final GroupNorm headNorm;
    private final Conv head;

    PeerUNet2D(UNet2DConfig c) {
        this.c = c;
        int width = c.widths().get(0);
        stem = new Conv("conv_in", c.channels(), width, 3);
        fixed = switch (c.time()) {
            case POSITIONAL -> null;
            case FOURIER -> parameter("time_proj.weight", 0, 1, width);
            case LEARNED -> parameter("time_proj.weight", 0, 1, c.trainTimesteps(), width);
        };
        int features = c.time() == Time.FOURIER ? 2 * width : width;
        time1 = new Linear("time_embedding.linear_1", features, c.timeWidth());
        time2 = new Linear("time_embedding.linear_2", c.timeWidth(), c.timeWidth());
        Deque<Integer> skips = new ArrayDeque<>(List.of(width));
        int n = c.widths().size();
        for (int i = 0; i < n; i++) {
            String name = "down_blocks." + i;
            Level level = new Level(c.down().get(i));
            for (int j = 0; j < c.layersPerBlock(); j++) {
                level.add(name, j, width, c.widths().get(i));
                width = c.widths().get(i);
                skips.push(width);
            }
            if (i < n - 1) {
                if (level.kind == LevelKind.RESNET || level.kind == LevelKind.ATTENTION && c.resnetDown())
                    level.block = new Block(name + ".downsamplers.0", width, width, 1);
                else
                    level.conv =
                            new Conv(name + ".downsamplers.0.conv", width, width, 3, 2, c.downsamplePadding(), 1, true);
                skips.push(width);
            }
            downs.add(level);
        }
        if (c.middle()) {
            middle1 = new Block("mid_block.resnets.0", width, width, c.middleScale());
            if (c.middleAttention())
                middleAttention = new Attention("mid_block.attentions.0", width, c.middleGroups(), c.middleScale());
            middle2 = new Block("mid_block.resnets.1", width, width, c.middleScale());
        }
        for (int i = n - 1; i >= 0; i--) {
            String name = "up_blocks." + (n - 1 - i);
            Level level = new Level(c.up().get(n - 1 - i));
            for (int j = 0; j <= c.layersPerBlock(); j++) {
                level.add(name, j, width + skips.pop(), c.widths().get(i));
                width = c.widths().get(i);
            }
            if (i > 0) {
                if (level.kind == LevelKind.RESNET || level.kind == LevelKind.ATTENTION && c.resnetUp())
                    level.block = new Block(name + ".upsamplers.0", width, width, 1);
                else level.conv = new Conv(name + ".upsamplers.0.conv", width, width, 3);
            }
            ups.add(level);
        }
        headNorm = new GroupNorm("conv_norm_out", c.groups(), width, c.eps());
        head = new Conv("conv_out", width, c.outChannels(), 3);
    }

    private Tensor act(Tensor x) {
        return switch (c.activation()) {
            case SILU -> torch.silu(x);
            case MISH -> torch.mish(x);
            case GELU -> torch.gelu(x);
            case RELU -> torch.relu(x);
        };
    }

    @Override
    Tensor forward(Tensor images, Tensor t) {
        int width = c.widths().get(0);
        Tensor features = switch (c.time()) {
            case POSITIONAL ->
                sinusoids(t, width / 2, -Math.log(10000) / (width / 2 - c.freqShift()), c.cosinesFirst());
            case FOURIER -> {
                Tensor angle = t.log()
                        .unsqueeze(1)
                        .mul(fixed.detach().unsqueeze(0))
                        .mul(s(2))
                        .mul(s(Math.PI));
                yield cat(1, angle.sin(), angle.cos());
            }
            case LEARNED -> torch.index_select(fixed, 0, t.to(torch.ScalarType.Long));
        };
        Tensor e = time2.apply(torch.silu(time1.apply(features)));
        Tensor x = stem.apply(c.centerInput() ? images.mul(s(2)).sub(s(1)) : images);
        Deque<Tensor> skips = new ArrayDeque<>(List.of(x));
        for (Level level : downs) {
            for (int j = 0; j < level.blocks.size(); j++) skips.push(x = level.apply(j, x, e));
            if (level.block != null) {
                UnaryOperator<Tensor> half = y -> torch.avg_pool2d(y, 2, 2);
                skips.push(x = level.block.apply(x, e, half));
            } else if (level.conv != null) {
                if (c.downsamplePadding() == 0) x = torch.constant_pad_nd(x, new long[] {0, 1, 0, 1}, s(0));
                skips.push(x = level.conv.apply(x));
            }
        }
        if (middle1 != null) {
            x = middle1.apply(x, e, y -> y);
            if (middleAttention != null) x = middleAttention.apply(x);
            x = middle2.apply(x, e, y -> y);
        }
        for (Level level : ups) {
            for (int j = 0; j < level.blocks.size(); j++) x = level.apply(j, cat(1, x, skips.pop()), e);
            if (level.block != null) x = level.block.apply(x, e, Peer::twice);
            else if (level.conv != null) x = level.conv.apply(twice(x));
        }
        Tensor y = head.apply(torch.silu(headNorm.apply(x)));
        return c.time() == Time.FOURIER ? y.div(t.reshape(-1, 1, 1, 1)) : y;
    }

    private final class Level {
        final LevelKind kind;
        final List<Block> blocks = new ArrayList<>();
        final List<Attention> attentions = new ArrayList<>();
        Block block;
        Conv conv;

        Level(LevelKind kind) {
            this.kind = kind;
        }

        void add(String name, int j, int in, int out) {
            blocks.add(new Block(name + ".resnets." + j, in, out, 1));
            if (kind == LevelKind.ATTENTION)
                attentions.add(new Attention(name + ".attentions." + j, out, c.groups(), 1));
        }

        Tensor apply(int j, Tensor x, Tensor e) {
            Tensor h = blocks.get(j).apply(x, e, y -> y);
            return attentions.isEmpty() ? h : attentions.get(j).apply(h);
        }
    }

    private final class Block {
        final GroupNorm norm1;
        final Conv conv1;
        final Linear time;
        final GroupNorm norm2;
        final Conv conv2;
        final Conv shortcut;
        final double divisor;

        Block(String name, int in, int out, double divisor) {
            norm1 = new GroupNorm(name + ".norm1", c.groups(), in, c.eps());
            conv1 = new Conv(name + ".conv1", in, out, 3);
            time = new Linear(name + ".time_emb_proj", c.timeWidth(), c.scaleShift() ? 2 * out : out);
            norm2 = new GroupNorm(name + ".norm2", c.groups(), out, c.eps());
            conv2 = new Conv(name + ".conv2", out, out, 3);
            shortcut = in == out ? null : new Conv(name + ".conv_shortcut", in, out, 1);
            this.divisor = divisor;
        }

        Tensor apply(Tensor x, Tensor e, UnaryOperator<Tensor> resample) {
            Tensor h = conv1.apply(resample.apply(act(norm1.apply(x))));
            Tensor p = time.apply(act(e)).unsqueeze(2).unsqueeze(3);
            if (c.scaleShift()) {
                Tensor[] both = chunk(p, 2, 1);
                h = norm2.apply(h).mul(both[0].add(s(1))).add(both[1]);
            } else h = norm2.apply(h.add(p));
            h = conv2.apply(act(h));
            Tensor kept = resample.apply(x);
            return h.add(shortcut == null ? kept : shortcut.apply(kept)).div(s(divisor));
        }
    }

    private final class Attention {
        final GroupNorm norm;
        final Linear q;
        final Linear k;
        final Linear v;
        final Linear out;
        final long d;
        final long heads;
        final double divisor;

        Attention(String name, int channels, int groups, double divisor) {
            d = c.headWidth() == 0 ? channels : c.headWidth();
            heads = channels / d;
            int hidden = (int) (heads * d);
            norm = groups == 0 ? null : new GroupNorm(name + ".group_norm", groups, channels, c.eps());
            q = new Linear(name + ".to_q", channels, hidden);
            k = new Linear(name + ".to_k", channels, hidden);
            v = new Linear(name + ".to_v", channels, hidden);
            out = new Linear(name + ".to_out.0", hidden, channels);
            this.divisor = divisor;
        }

        private Tensor heads(Tensor x) {
            return x.reshape(x.size(0), x.size(1), heads, d).permute(0, 2, 1, 3);
        }

        Tensor apply(Tensor x) {
            Tensor n = norm == null ? x : norm.apply(x);
            Tensor tokens =
                    n.reshape(x.size(0), x.size(1), x.size(2) * x.size(3)).permute(0, 2, 1);
            Tensor scores = torch.matmul(
                            heads(q.apply(tokens)), heads(k.apply(tokens)).transpose(-1, -2))
                    .mul(s(1 / Math.sqrt(d)));
            Tensor mixed = torch.matmul(scores.softmax(-1), heads(v.apply(tokens)))
                    .permute(0, 2, 1, 3)
                    .reshape(x.size(0), x.size(2) * x.size(3), heads * d);
            Tensor y = out.apply(mixed).permute(0, 2, 1).reshape(sizes(x));
            return y.add(x).div(s(divisor));
        }
    }
}
