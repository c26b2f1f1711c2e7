package bench.libtorch;

import static bench.libtorch.Ops.free;

import java.util.ArrayList;
import java.util.List;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorOptional;
import org.bytedeco.pytorch.TensorVector;
import org.bytedeco.pytorch.global.torch;

/** A parameter holder with the layers both U-Nets use. Weights are uniform(+-1/sqrt(fanIn)). */
abstract class Net {
    private static final int HEADS = 4;
    private static final int DIM_HEAD = 32;
    private static final int HIDDEN = HEADS * DIM_HEAD;

    private final Scalar scale = new Scalar(1 / Math.sqrt(DIM_HEAD));
    final boolean channelsLast;
    final List<Tensor> params = new ArrayList<>();
    boolean training = true;

    Net(boolean channelsLast) {
        this.channelsLast = channelsLast;
    }

    abstract Tensor forward(Tensor x, Tensor t);

    long parameterCount() {
        long n = 0;
        for (Tensor p : params) {
            n += p.numel();
        }
        return n;
    }

    TensorVector parameterVector() {
        return new TensorVector(params.toArray(new Tensor[0]));
    }

    private Tensor leaf(Tensor p) {
        if (channelsLast && p.dim() == 4) {
            p = p.contiguous(torch.MemoryFormat.ChannelsLast);
        }
        p.requires_grad_(true);
        params.add(p);
        return p;
    }

    Tensor uniform(double bound, long... shape) {
        Tensor r = torch.rand(shape);
        Scalar two = new Scalar(2 * bound);
        Scalar off = new Scalar(bound);
        return leaf(r.mul(two).sub(off).detach());
    }

    private Tensor constant(double v, long n) {
        return leaf(v == 0 ? torch.zeros(n) : torch.ones(n));
    }

    final class Conv {
        final Tensor w;
        final TensorOptional b;
        final int stride;
        final int pad;

        Conv(int in, int out, int k, int stride, int pad, boolean bias) {
            double bound = 1 / Math.sqrt(in * k * k);
            this.w = uniform(bound, out, in, k, k);
            this.b = bias ? new TensorOptional(uniform(bound, out)) : new TensorOptional();
            this.stride = stride;
            this.pad = pad;
        }

        Conv(int in, int out, int k) {
            this(in, out, k, 1, k / 2, true);
        }

        Tensor apply(Tensor x) {
            return Ops.conv(x, w, b, stride, pad);
        }
    }

    final class Linear {
        final Tensor w;
        final TensorOptional b;

        Linear(int in, int out) {
            double bound = 1 / Math.sqrt(in);
            this.w = uniform(bound, out, in);
            this.b = new TensorOptional(uniform(bound, out));
        }

        Tensor apply(Tensor x) {
            return Ops.linear(x, w, b);
        }
    }

    final class GroupNorm {
        final TensorOptional w;
        final TensorOptional b;
        final int groups;
        final double eps;

        GroupNorm(int groups, int dim, double eps) {
            this.w = new TensorOptional(constant(1, dim));
            this.b = new TensorOptional(constant(0, dim));
            this.groups = groups;
            this.eps = eps;
        }

        GroupNorm(int groups, int dim) {
            this(groups, dim, 1e-5);
        }

        Tensor apply(Tensor x) {
            return torch.group_norm(x, groups, w, b, eps, true);
        }
    }

    /** x + attention(GroupNorm(1)(x)), the attention linear or full. */
    final class PreNorm {
        final boolean linear;
        final Conv toQkv;
        final Conv toOut;
        final GroupNorm outNorm;
        final GroupNorm norm;

        PreNorm(int d, boolean linear) {
            this.linear = linear;
            toQkv = new Conv(d, 3 * HIDDEN, 1, 1, 0, false);
            toOut = new Conv(HIDDEN, d, 1);
            outNorm = linear ? new GroupNorm(1, d) : null;
            norm = new GroupNorm(1, d);
        }

        Tensor apply(Tensor x) {
            Tensor n = norm.apply(x);
            Tensor y = linear ? linear(n) : full(n);
            free(n);
            Tensor out = y.add(x);
            free(y);
            return out;
        }

        private Tensor heads(Tensor t) {
            return t.reshape(t.size(0), HEADS, DIM_HEAD, t.size(2) * t.size(3));
        }

        private Tensor linear(Tensor x) {
            long b = x.size(0);
            long h = x.size(2);
            long w = x.size(3);
            Tensor qkv = toQkv.apply(x);
            TensorVector parts = qkv.chunk(3, 1);
            Tensor q0 = heads(parts.get(0));
            Tensor k0 = heads(parts.get(1));
            Tensor v = heads(parts.get(2));
            Tensor q1 = q0.softmax(-2);
            Tensor k = k0.softmax(-1);
            free(q0, k0);
            Tensor q = q1.mul(scale);
            free(q1);
            Tensor context = Ops.einsum("b h d n, b h e n -> b h d e", k, v);
            free(k, v, parts, qkv);
            Tensor o = Ops.einsum("b h d e, b h d n -> b h e n", context, q);
            free(context, q);
            Tensor flat = o.reshape(b, HIDDEN, h, w);
            free(o);
            Tensor p = toOut.apply(flat);
            free(flat);
            Tensor y = outNorm.apply(p);
            free(p);
            return y;
        }

        private Tensor full(Tensor x) {
            long b = x.size(0);
            long h = x.size(2);
            long w = x.size(3);
            Tensor qkv = toQkv.apply(x);
            TensorVector parts = qkv.chunk(3, 1);
            Tensor q = heads(parts.get(0)).mul(scale);
            Tensor k = heads(parts.get(1));
            Tensor v = heads(parts.get(2));
            Tensor sim0 = Ops.einsum("b h d i, b h d j -> b h i j", q, k);
            Tensor sim = sim0.sub(sim0.amax(new long[] {-1}, true).detach());
            Tensor attn = sim.softmax(-1);
            free(sim0, sim);
            Tensor o = Ops.einsum("b h i j, b h d j -> b h i d", attn, v);
            free(attn, parts, qkv);
            Tensor flat = o.permute(0, 1, 3, 2).reshape(b, HIDDEN, h, w);
            free(o);
            Tensor y = toOut.apply(flat);
            free(flat);
            return y;
        }
    }

    /** Lets go of old, as reassigning the variable would. */
    static Tensor next(Tensor old, Tensor now) {
        free(old);
        return now;
    }

    /** x and skip, one behind the other, in place of both. */
    static Tensor joined(Tensor x, Tensor skip) {
        Tensor y = Ops.cat(x, skip, 1);
        free(x, skip);
        return y;
    }

    /** sin and cos of t * 10000^(-i/(half-1)), concatenated: (batch) to (batch, dim). */
    static Tensor sinusoidal(Tensor t, int dim) {
        int half = dim / 2;
        Tensor i = torch.arange(new Scalar((double) half));
        Tensor f = i.mul(new Scalar(-Math.log(10000) / (half - 1))).exp();
        Tensor e = t.to(torch.ScalarType.Float).unsqueeze(1).mul(f.unsqueeze(0));
        return Ops.cat(e.sin(), e.cos(), 1);
    }
}
