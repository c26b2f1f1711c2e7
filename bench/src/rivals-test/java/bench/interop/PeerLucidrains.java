package bench.interop;

import ddpm.unet.LucidrainsConfig;
import ddpm.unet.LucidrainsConfig.Time;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.function.UnaryOperator;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;

/** The network of lucidrains' denoising-diffusion-pytorch from libtorch's layers. */
final class PeerLucidrains extends Peer {
    private static final int MEMORIES = 4;

    /** One resolution. */
    private record Level(Block block1, Block block2, Attention attention, UnaryOperator<Tensor> resample) {}

    private final LucidrainsConfig c;
    private final Conv stem;
    private final Tensor frequencies;
    private final Linear time1;
    private final Linear time2;
    private final List<Level> downs = new ArrayList<>();
    private final List<Level> ups = new ArrayList<>();
    private final Block middle1;
    private final Attention middleAttention;
    private final Block middle2;
    private final Block headBlock;
    private final Conv head;

    PeerLucidrains(LucidrainsConfig c) {
        this.c = c;
        stem = new Conv("init_conv", c.channels(), c.stem(), 7);
        boolean sinusoids = c.time() == Time.SINUSOIDAL;
        frequencies = sinusoids ? null : parameter("time_mlp.0.weights", 0, 0.05, c.learnedWidth() / 2);
        time1 = new Linear("time_mlp.1", sinusoids ? c.dim() : c.learnedWidth() + 1, 4 * c.dim());
        time2 = new Linear("time_mlp.3", 4 * c.dim(), 4 * c.dim());
        int n = c.levels();
        for (int i = 0; i < n; i++) {
            int in = c.widthOf(i - 1);
            int out = c.widthOf(i);
            String name = "downs." + i;
            boolean last = i == n - 1;
            Conv conv = last ? new Conv(name + ".3", in, out, 3) : new Conv(name + ".3.1", 4 * in, out, 1);
            downs.add(new Level(
                    new Block(name + ".0", in, in),
                    new Block(name + ".1", in, in),
                    new Attention(name + ".2", in, i, c.fullAttention().get(i)),
                    x -> conv.apply(last ? x : folded(x))));
        }
        int bottom = c.widthOf(n - 1);
        middle1 = new Block("mid_block1", bottom, bottom);
        middleAttention = new Attention("mid_attn", bottom, n - 1, true);
        middle2 = new Block("mid_block2", bottom, bottom);
        for (int i = n - 1; i >= 0; i--) {
            int in = c.widthOf(i - 1);
            int out = c.widthOf(i);
            String name = "ups." + (n - 1 - i);
            boolean last = i == 0;
            Conv conv = new Conv(name + (last ? ".3" : ".3.1"), out, in, 3);
            ups.add(new Level(
                    new Block(name + ".0", out + in, out),
                    new Block(name + ".1", out + in, out),
                    new Attention(name + ".2", out, i, c.fullAttention().get(i)),
                    x -> conv.apply(last ? x : twice(x))));
        }
        headBlock = new Block("final_res_block", 2 * c.stem(), c.stem());
        head = new Conv("final_conv", c.stem(), c.outChannels(), 1);
    }

    private Tensor features(Tensor t) {
        if (frequencies == null) {
            int half = c.dim() / 2;
            return sinusoids(t, half, -Math.log(c.theta()) / (half - 1), false);
        }
        Tensor w = c.time() == Time.RANDOM ? frequencies.detach() : frequencies;
        Tensor x = t.unsqueeze(1);
        Tensor angle = x.mul(w.unsqueeze(0)).mul(s(2)).mul(s(Math.PI));
        return cat(1, x, angle.sin(), angle.cos());
    }

    @Override
    Tensor forward(Tensor images, Tensor t) {
        Tensor e = time2.apply(torch.gelu(time1.apply(features(t))));
        Tensor start = stem.apply(images);
        Tensor x = start;
        Deque<Tensor> skips = new ArrayDeque<>();
        for (Level level : downs) {
            x = level.block1.apply(x, e);
            skips.push(x);
            x = level.attention.apply(level.block2.apply(x, e));
            skips.push(x);
            x = level.resample.apply(x);
        }
        x = middle2.apply(middleAttention.apply(middle1.apply(x, e)), e);
        for (Level level : ups) {
            x = level.block1.apply(cat(1, x, skips.pop()), e);
            x = level.block2.apply(cat(1, x, skips.pop()), e);
            x = level.resample.apply(level.attention.apply(x));
        }
        return head.apply(headBlock.apply(cat(1, x, start), e));
    }

    /** x / max(‖x‖, 1e−12) · g · √C over the channels. */
    private UnaryOperator<Tensor> norm(String name, int channels) {
        Tensor g = parameter(name + ".g", 1, 0.2, 1, channels, 1, 1);
        return x -> {
            Tensor length = x.mul(x).sum(1).unsqueeze(1).sqrt().clamp_min(s(1e-12));
            return x.div(length).mul(g).mul(s(Math.sqrt(channels)));
        };
    }

    private final class Block {
        private final Linear time;
        private final Conv conv1;
        private final UnaryOperator<Tensor> norm1;
        private final Conv conv2;
        private final UnaryOperator<Tensor> norm2;
        private final Conv shortcut;

        Block(String name, int in, int out) {
            time = new Linear(name + ".mlp.1", 4 * c.dim(), 2 * out);
            conv1 = new Conv(name + ".block1.proj", in, out, 3);
            norm1 = norm(name + ".block1.norm", out);
            conv2 = new Conv(name + ".block2.proj", out, out, 3);
            norm2 = norm(name + ".block2.norm", out);
            shortcut = in == out ? null : new Conv(name + ".res_conv", in, out, 1);
        }

        Tensor apply(Tensor x, Tensor e) {
            Tensor[] p = chunk(time.apply(torch.silu(e)).unsqueeze(2).unsqueeze(3), 2, 1);
            Tensor h =
                    torch.silu(norm1.apply(conv1.apply(x)).mul(p[0].add(s(1))).add(p[1]));
            h = torch.silu(norm2.apply(conv2.apply(h)));
            return h.add(shortcut == null ? x : shortcut.apply(x));
        }
    }

    private final class Attention {
        private final boolean linear;
        private final long heads;
        private final long d;
        private final UnaryOperator<Tensor> norm;
        private final Tensor memory;
        private final Conv qkv;
        private final Conv out;
        private final UnaryOperator<Tensor> outNorm;

        Attention(String name, int channels, int level, boolean full) {
            linear = !full;
            heads = c.heads().get(level);
            d = c.headWidth().get(level);
            int hidden = (int) (heads * d);
            norm = norm(name + ".norm", channels);
            memory = full
                    ? parameter(name + ".mem_kv", 0, 1, 2, heads, MEMORIES, d)
                    : parameter(name + ".mem_kv", 0, 1, 2, heads, d, MEMORIES);
            qkv = new Conv(name + ".to_qkv", channels, 3 * hidden, 1, 1, 0, 1, false);
            out = new Conv(name + (linear ? ".to_out.0" : ".to_out"), hidden, channels, 1);
            outNorm = linear ? norm(name + ".to_out.1", channels) : null;
        }

        /** Memory and positions, [N, heads, d, m + L]. */
        private Tensor with(int which, Tensor x) {
            Tensor m = torch.select(memory, 0, which);
            Tensor columns = linear ? m : m.transpose(-1, -2);
            return cat(-1, columns.unsqueeze(0).expand(x.size(0), heads, d, MEMORIES), x);
        }

        Tensor apply(Tensor x) {
            long[] s = sizes(x);
            Tensor[] parts = chunk(qkv.apply(norm.apply(x)), 3, 1);
            for (int i = 0; i < 3; i++) parts[i] = parts[i].reshape(s[0], heads, d, s[2] * s[3]);
            Tensor k = with(0, parts[1]);
            Tensor v = with(1, parts[2]);
            double scale = 1 / Math.sqrt(d);
            Tensor mixed;
            if (linear) {
                Tensor context = einsum("b h d n, b h e n -> b h d e", k.softmax(-1), v);
                mixed = einsum(
                        "b h d e, b h d n -> b h e n",
                        context,
                        parts[0].softmax(-2).mul(s(scale)));
            } else {
                Tensor sim = einsum("b h d i, b h d j -> b h i j", parts[0], k).mul(s(scale));
                mixed = einsum("b h i j, b h d j -> b h d i", sim.softmax(-1), v);
            }
            Tensor y = out.apply(mixed.reshape(s[0], heads * d, s[2], s[3]));
            return (outNorm == null ? y : outNorm.apply(y)).add(x);
        }
    }
}
