package bench.libtorch;

import static bench.libtorch.Ops.free;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.ScalarTypeOptional;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorVector;
import org.bytedeco.pytorch.global.torch;

/**
 * The preset {@code annotated-resnet} in libtorch: the U-Net of "The Annotated Diffusion Model" in its current text, op for
 * op, so that libtorch does what the Python would.
 */
final class BlogNet extends Net {
    private final int dim;
    private final int groups = 4;
    private final Conv initConv;
    private final Linear time1;
    private final Linear time2;
    private final List<Stage> downs = new ArrayList<>();
    private final List<Stage> ups = new ArrayList<>();
    private final Resnet mid1;
    private final Resnet mid2;
    private final PreNorm midAttn;
    private final Resnet finalRes;
    private final Conv finalConv;
    private final Scalar one = new Scalar(1.0);

    BlogNet(int dim, int channels, int[] mults, boolean channelsLast) {
        super(channelsLast);
        this.dim = dim;
        initConv = new Conv(channels, dim, 1);
        time1 = new Linear(dim, 4 * dim);
        time2 = new Linear(4 * dim, 4 * dim);
        int n = mults.length;
        int[] dims = new int[n + 1];
        dims[0] = dim;
        for (int i = 0; i < n; i++) {
            dims[i + 1] = dim * mults[i];
        }
        for (int i = 0; i < n; i++) {
            int in = dims[i];
            int out = dims[i + 1];
            boolean last = i == n - 1;
            Conv conv = last ? new Conv(in, out, 3) : new Conv(4 * in, out, 1);
            downs.add(new Stage(new Resnet(in, in), new Resnet(in, in), new PreNorm(in, true), conv, last));
        }
        int mid = dims[n];
        mid1 = new Resnet(mid, mid);
        midAttn = new PreNorm(mid, false);
        mid2 = new Resnet(mid, mid);
        for (int i = 0; i < n; i++) {
            int in = dims[n - 1 - i];
            int out = dims[n - i];
            boolean last = i == n - 1;
            ups.add(new Stage(
                    new Resnet(out + in, out),
                    new Resnet(out + in, out),
                    new PreNorm(out, true),
                    new Conv(out, in, 3),
                    last));
        }
        finalRes = new Resnet(2 * dim, dim);
        finalConv = new Conv(dim, channels, 1);
    }

    @Override
    Tensor forward(Tensor in, Tensor time) {
        Tensor r = initConv.apply(in);
        Tensor x = r.clone();
        Tensor t = time2.apply(torch.gelu(time1.apply(sinusoidal(time, dim))));
        Deque<Tensor> skips = new ArrayDeque<>();
        for (Stage s : downs) {
            Tensor h1 = next(x, s.block1.apply(x, t));
            skips.push(h1);
            Tensor h2 = s.block2.apply(h1, t);
            Tensor h3 = next(h2, s.attn.apply(h2));
            skips.push(h3);
            if (s.last) {
                x = s.conv.apply(h3);
            } else {
                Tensor folded = spaceToDepth(h3);
                x = next(folded, s.conv.apply(folded));
            }
        }
        x = next(x, mid1.apply(x, t));
        x = next(x, midAttn.apply(x));
        x = next(x, mid2.apply(x, t));
        for (Stage s : ups) {
            x = joined(x, skips.pop());
            x = next(x, s.block1.apply(x, t));
            x = joined(x, skips.pop());
            x = next(x, s.block2.apply(x, t));
            x = next(x, s.attn.apply(x));
            if (!s.last) {
                x = next(x, torch.upsample_nearest2d(x, x.size(2) * 2, x.size(3) * 2));
            }
            x = next(x, s.conv.apply(x));
        }
        x = joined(x, r);
        x = next(x, finalRes.apply(x, t));
        return next(x, finalConv.apply(x));
    }

    /** b c (h 2) (w 2) to b (c 2 2) h w. */
    private static Tensor spaceToDepth(Tensor x) {
        long b = x.size(0);
        long c = x.size(1);
        long h = x.size(2) / 2;
        long w = x.size(3) / 2;
        return x.reshape(b, c, h, 2, w, 2).permute(0, 1, 3, 5, 2, 4).reshape(b, c * 4, h, w);
    }

    private record Stage(Resnet block1, Resnet block2, PreNorm attn, Conv conv, boolean last) {}

    /** Weight-standardised 3x3 convolution, GroupNorm, optional scale and shift, SiLU. */
    private final class Block {
        final Conv proj;
        final GroupNorm norm;

        Block(int in, int out) {
            proj = new Conv(in, out, 3);
            norm = new GroupNorm(groups, out);
        }

        Tensor apply(Tensor x, Tensor scalePlusOne, Tensor shift) {
            double eps = x.scalar_type().intern() == torch.ScalarType.Float ? 1e-5 : 1e-3;
            Tensor w = proj.w;
            long[] d = {1, 2, 3};
            Tensor mean = w.mean(d, true, new ScalarTypeOptional());
            Tensor var = w.var(d, false, true);
            Tensor std = w.sub(mean).mul(var.add(new Scalar(eps)).rsqrt());
            Tensor c = Ops.conv(x, std, proj.b, 1, 1);
            Tensor n = norm.apply(c);
            free(c);
            if (scalePlusOne != null) {
                Tensor m = n.mul(scalePlusOne);
                free(n);
                n = m.add(shift);
                free(m);
            }
            Tensor y = torch.silu(n);
            free(n);
            return y;
        }
    }

    private final class Resnet {
        final Linear mlp;
        final Block block1;
        final Block block2;
        final Conv res;

        Resnet(int in, int out) {
            mlp = new Linear(4 * dim, 2 * out);
            block1 = new Block(in, out);
            block2 = new Block(out, out);
            res = in == out ? null : new Conv(in, out, 1);
        }

        Tensor apply(Tensor x, Tensor t) {
            Tensor e = mlp.apply(torch.silu(t));
            TensorVector ss = e.reshape(e.size(0), e.size(1), 1, 1).chunk(2, 1);
            Tensor h1 = block1.apply(x, ss.get(0).add(one), ss.get(1));
            Tensor h = block2.apply(h1, null, null);
            free(h1);
            Tensor r = res == null ? x : res.apply(x);
            Tensor y = h.add(r);
            free(h);
            if (res != null) {
                free(r);
            }
            return y;
        }
    }
}
