package bench.interop;

import ddpm.unet.AnnotatedConfig;
import ddpm.unet.AnnotatedConfig.BlockKind;
import ddpm.unet.AnnotatedConfig.Filters;
import ddpm.unet.AnnotatedConfig.Norm;
import ddpm.unet.AnnotatedConfig.Topology;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.function.UnaryOperator;
import org.bytedeco.pytorch.ScalarTypeOptional;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorOptional;
import org.bytedeco.pytorch.global.torch;

/** The network of "The Annotated Diffusion Model", every generation, from libtorch's layers. */
final class PeerAnnotated extends Peer {
    private static final double EPS = 1e-5;
    private static final int HEADS = 4;
    private static final int D = 32;

    /** One resolution; null where there is nothing to resample. */
    private record Level(Block block1, Block block2, Attention attention, UnaryOperator<Tensor> resample) {}

    private final AnnotatedConfig c;
    private final Conv stem;
    private final Linear time1;
    private final Linear time2;
    private final List<Level> downs = new ArrayList<>();
    private final List<Level> ups = new ArrayList<>();
    private final Block middle1;
    private final Attention middleAttention;
    private final Block middle2;
    private final Block headBlock;
    private final Conv head;

    PeerAnnotated(AnnotatedConfig c) {
        this.c = c;
        boolean blog = c.topology() == Topology.BLOG;
        stem = new Conv("init_conv", c.channels(), c.stem(), blog ? 1 : 7);
        time1 = new Linear("time_mlp.1", c.dim(), 4 * c.dim());
        time2 = new Linear("time_mlp.3", 4 * c.dim(), 4 * c.dim());
        int n = c.levels();
        for (int i = 0; i < n; i++) {
            int in = i == 0 ? c.stem() : c.widthOf(i - 1);
            int out = c.widthOf(i);
            String name = "downs." + i;
            boolean last = i == n - 1;
            int inner = blog ? in : out;
            Block block1 = new Block(name + ".0", in, inner, true);
            Block block2 = new Block(name + ".1", inner, inner, true);
            Attention attention = new Attention(name + ".2", inner, true);
            UnaryOperator<Tensor> resample = null;
            if (blog && last) resample = new Conv(name + ".3", in, out, 3)::apply;
            else if (blog) {
                Conv conv = new Conv(name + ".3.1", 4 * in, out, 1);
                resample = x -> conv.apply(folded(x));
            } else if (!last) resample = new Conv(name + ".3", out, out, 4, 2, 1, 1, true)::apply;
            downs.add(new Level(block1, block2, attention, resample));
        }
        int bottom = c.widthOf(n - 1);
        middle1 = new Block("mid_block1", bottom, bottom, true);
        middleAttention = new Attention("mid_attn", bottom, false);
        middle2 = new Block("mid_block2", bottom, bottom, true);
        for (int i = n - 1; i >= (blog ? 0 : 1); i--) {
            int in = i == 0 ? c.stem() : c.widthOf(i - 1);
            int out = c.widthOf(i);
            String name = "ups." + (n - 1 - i);
            if (blog) {
                Conv conv = new Conv(name + (i == 0 ? ".3" : ".3.1"), out, in, 3);
                boolean grow = i > 0;
                ups.add(new Level(
                        new Block(name + ".0", out + in, out, true),
                        new Block(name + ".1", out + in, out, true),
                        new Attention(name + ".2", out, true),
                        x -> conv.apply(grow ? twice(x) : x)));
            } else {
                Tensor w = parameter(name + ".3.weight", 0, 0.1, in, in, 4, 4);
                TensorOptional b = new TensorOptional(parameter(name + ".3.bias", 0, 0.1, in));
                long[] two = {2, 2};
                long[] one = {1, 1};
                ups.add(new Level(
                        new Block(name + ".0", 2 * out, in, true),
                        new Block(name + ".1", in, in, true),
                        new Attention(name + ".2", in, true),
                        x -> torch.conv_transpose2d(x, w, b, two, one, new long[] {0, 0}, 1, one)));
            }
        }
        headBlock = blog
                ? new Block("final_res_block", 2 * c.dim(), c.dim(), true)
                : new Block("final_conv.0", c.dim(), c.dim(), false);
        head = new Conv(blog ? "final_conv" : "final_conv.1", c.dim(), c.channels(), 1);
    }

    @Override
    Tensor forward(Tensor images, Tensor t) {
        int half = c.dim() / 2;
        Tensor e = time2.apply(torch.gelu(time1.apply(sinusoids(t, half, -Math.log(10000) / (half - 1), false))));
        Tensor start = stem.apply(images);
        Tensor x = start;
        Deque<Tensor> skips = new ArrayDeque<>();
        boolean blog = c.topology() == Topology.BLOG;
        for (Level level : downs) {
            x = level.block1.apply(x, e);
            if (blog) skips.push(x);
            x = level.attention.apply(level.block2.apply(x, e));
            skips.push(x);
            if (level.resample != null) x = level.resample.apply(x);
        }
        x = middle2.apply(middleAttention.apply(middle1.apply(x, e)), e);
        for (Level level : ups) {
            x = level.block1.apply(cat(1, x, skips.pop()), e);
            if (blog) x = cat(1, x, skips.pop());
            x = level.resample.apply(level.attention.apply(level.block2.apply(x, e)));
        }
        return head.apply(headBlock.apply(blog ? cat(1, x, start) : x, e));
    }

    /** Group norm of one group, or layer norm over the channels. */
    private UnaryOperator<Tensor> norm(String name, int channels) {
        if (c.norm() == Norm.IMAGE) return new GroupNorm(name, 1, channels, EPS)::apply;
        Tensor g = parameter(name + ".g", 1, 0.2, 1, channels, 1, 1);
        Tensor b = parameter(name + ".b", 0, 0.2, 1, channels, 1, 1);
        return x -> {
            Tensor mean = x.mean(new long[] {1}, true, new ScalarTypeOptional());
            Tensor var = x.var(new long[] {1}, false, true);
            return x.sub(mean).div(var.add(s(EPS)).sqrt()).mul(g).add(b);
        };
    }

    private final class Block {
        private final Linear time;
        private final boolean convnext;
        private final Conv first;
        private final UnaryOperator<Tensor> norm1;
        private final Conv second;
        private final UnaryOperator<Tensor> norm2;
        private final Conv third;
        private final Conv shortcut;

        Block(String name, int in, int out, boolean told) {
            convnext = c.block() == BlockKind.CONVNEXT;
            int width = convnext ? in : c.scaleShift() ? 2 * out : out;
            time = told ? new Linear(name + ".mlp.1", 4 * c.dim(), width) : null;
            if (convnext) {
                first = new Conv(name + ".ds_conv", in, in, 7, 1, 3, in, true);
                norm1 = norm(name + ".net.0", in);
                second = new Conv(name + ".net.1", in, c.widen() * out, 3);
                norm2 = norm(name + ".net.3", c.widen() * out);
                third = new Conv(name + ".net.4", c.widen() * out, out, 3);
            } else {
                first = new Conv(name + ".block1.proj", in, out, 3);
                norm1 = new GroupNorm(name + ".block1.norm", c.groups(), out, EPS)::apply;
                second = new Conv(name + ".block2.proj", out, out, 3);
                norm2 = new GroupNorm(name + ".block2.norm", c.groups(), out, EPS)::apply;
                third = null;
            }
            shortcut = in == out ? null : new Conv(name + ".res_conv", in, out, 1);
        }

        private Tensor convolved(Conv conv, Tensor x) {
            Tensor w = conv.weight();
            if (c.filters() == Filters.PLAIN) return conv.apply(x);
            long[] axes = {1, 2, 3};
            Tensor centred = w.sub(w.mean(axes, true, new ScalarTypeOptional()));
            Tensor rsqrt = w.var(axes, false, true).add(s(EPS)).rsqrt();
            return conv.apply(x, c.filters() == Filters.STANDARDIZED ? centred.mul(rsqrt) : centred.div(rsqrt));
        }

        Tensor apply(Tensor x, Tensor e) {
            Tensor h;
            if (convnext) {
                h = first.apply(x);
                if (time != null)
                    h = h.add(time.apply(torch.gelu(e)).unsqueeze(2).unsqueeze(3));
                h = third.apply(norm2.apply(torch.gelu(second.apply(norm1.apply(h)))));
            } else {
                h = norm1.apply(convolved(first, x));
                Tensor p = time == null
                        ? null
                        : time.apply(torch.silu(e)).unsqueeze(2).unsqueeze(3);
                if (p != null && c.scaleShift()) {
                    Tensor[] both = chunk(p, 2, 1);
                    h = torch.silu(h.mul(both[0].add(s(1))).add(both[1]));
                } else h = p == null ? torch.silu(h) : torch.silu(h).add(p);
                h = torch.silu(norm2.apply(convolved(second, h)));
            }
            return h.add(shortcut == null ? x : shortcut.apply(x));
        }
    }

    private final class Attention {
        private final boolean linear;
        private final UnaryOperator<Tensor> norm;
        private final Conv qkv;
        private final Conv out;
        private final UnaryOperator<Tensor> outNorm;

        Attention(String name, int channels, boolean linear) {
            this.linear = linear;
            norm = norm(name + ".fn.norm", channels);
            qkv = new Conv(name + ".fn.fn.to_qkv", channels, 3 * HEADS * D, 1, 1, 0, 1, false);
            out = new Conv(name + (linear ? ".fn.fn.to_out.0" : ".fn.fn.to_out"), HEADS * D, channels, 1);
            outNorm = linear ? norm(name + ".fn.fn.to_out.1", channels) : null;
        }

        Tensor apply(Tensor x) {
            long[] s = sizes(x);
            Tensor[] parts = chunk(qkv.apply(norm.apply(x)), 3, 1);
            for (int i = 0; i < 3; i++) parts[i] = parts[i].reshape(s[0], HEADS, D, s[2] * s[3]);
            double scale = 1 / Math.sqrt(D);
            if (linear) {
                Tensor context = einsum("b h d n, b h e n -> b h d e", parts[1].softmax(-1), parts[2]);
                Tensor mixed = einsum(
                        "b h d e, b h d n -> b h e n",
                        context,
                        parts[0].softmax(-2).mul(s(scale)));
                return outNorm.apply(out.apply(mixed.reshape(s[0], HEADS * D, s[2], s[3])))
                        .add(x);
            }
            Tensor sim = einsum("b h d i, b h d j -> b h i j", parts[0].mul(s(scale)), parts[1]);
            Tensor mixed = einsum("b h i j, b h d j -> b h d i", sim.softmax(-1), parts[2]);
            return out.apply(mixed.reshape(s[0], HEADS * D, s[2], s[3])).add(x);
        }
    }
}
