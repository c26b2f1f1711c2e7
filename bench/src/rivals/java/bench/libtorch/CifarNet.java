package bench.libtorch;

import static bench.libtorch.Ops.free;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;

/**
 * The preset {@code ddpm-cifar10} in libtorch, the DDPM paper's U-Net: 128 channels, multipliers 1 2 2 2, two residual blocks a level,
 * single-head attention at 16x16 and in the middle, GroupNorm(32), dropout 0.1.
 */
final class CifarNet extends Net {
    private static final int CH = 128;
    private static final int[] MULTS = {1, 2, 2, 2};
    private static final int BLOCKS = 2;
    private static final double DROPOUT = 0.1;

    private final Linear time1 = new Linear(CH, 4 * CH);
    private final Linear time2 = new Linear(4 * CH, 4 * CH);
    private final Conv convIn = new Conv(3, CH, 3);
    private final List<Unit> downs = new ArrayList<>();
    private final Unit mid1;
    private final Unit mid2;
    private final List<Unit> ups = new ArrayList<>();
    private final GroupNorm normOut = new GroupNorm(32, CH, 1e-6);
    private final Conv convOut = new Conv(CH, 3, 3);

    CifarNet(boolean channelsLast) {
        super(channelsLast);
        Deque<Integer> chans = new ArrayDeque<>();
        chans.push(CH);
        int c = CH;
        int res = 32;
        for (int l = 0; l < MULTS.length; l++) {
            int out = CH * MULTS[l];
            for (int b = 0; b < BLOCKS; b++) {
                downs.add(new Unit(c, out, res == 16, null));
                c = out;
                chans.push(c);
            }
            if (l < MULTS.length - 1) {
                downs.add(new Unit(0, 0, false, new Conv(c, c, 3, 2, 1, true)));
                chans.push(c);
                res /= 2;
            }
        }
        mid1 = new Unit(c, c, true, null);
        mid2 = new Unit(c, c, false, null);
        for (int l = MULTS.length - 1; l >= 0; l--) {
            int out = CH * MULTS[l];
            for (int b = 0; b <= BLOCKS; b++) {
                Conv up = b == BLOCKS && l > 0 ? new Conv(out, out, 3) : null;
                ups.add(new Unit(c + chans.pop(), out, res == 16, up));
                c = out;
            }
            res *= 2;
        }
    }

    @Override
    Tensor forward(Tensor in, Tensor time) {
        Tensor t = time2.apply(torch.silu(time1.apply(sinusoidal(time, CH))));
        Deque<Tensor> skips = new ArrayDeque<>();
        Tensor x = convIn.apply(in);
        skips.push(x);
        for (Unit u : downs) {
            if (u.res == null) {
                x = u.conv.apply(x);
            } else {
                x = u.apply(x, t);
            }
            skips.push(x);
        }
        Tensor m = mid1.apply(x, t);
        x = mid2.apply(m, t);
        free(m);
        for (Unit u : ups) {
            Tensor skip = skips.pop();
            Tensor joined = Ops.cat(x, skip, 1);
            free(x, skip);
            x = u.apply(joined, t);
            free(joined);
            if (u.conv != null) {
                Tensor big = torch.upsample_nearest2d(x, x.size(2) * 2, x.size(3) * 2);
                free(x);
                x = u.conv.apply(big);
                free(big);
            }
        }
        Tensor n = normOut.apply(x);
        free(x);
        Tensor a = torch.silu(n);
        free(n);
        Tensor y = convOut.apply(a);
        free(a);
        return y;
    }

    /** A residual block, with attention or not, and the resampling convolution after it if any. */
    private final class Unit {
        final Res res;
        final Attention attn;
        final Conv conv;

        Unit(int in, int out, boolean attention, Conv conv) {
            this.res = in == 0 ? null : new Res(in, out);
            this.attn = attention ? new Attention(out) : null;
            this.conv = conv;
        }

        Tensor apply(Tensor x, Tensor t) {
            Tensor h = res.apply(x, t);
            if (attn == null) {
                return h;
            }
            Tensor y = attn.apply(h);
            free(h);
            return y;
        }
    }

    private final class Res {
        final GroupNorm norm1;
        final GroupNorm norm2;
        final Conv conv1;
        final Conv conv2;
        final Linear temb;
        final Conv shortcut;

        Res(int in, int out) {
            norm1 = new GroupNorm(32, in, 1e-6);
            conv1 = new Conv(in, out, 3);
            temb = new Linear(4 * CH, out);
            norm2 = new GroupNorm(32, out, 1e-6);
            conv2 = new Conv(out, out, 3);
            shortcut = in == out ? null : new Conv(in, out, 1);
        }

        Tensor apply(Tensor x, Tensor t) {
            Tensor n1 = norm1.apply(x);
            Tensor a1 = torch.silu(n1);
            free(n1);
            Tensor c1 = conv1.apply(a1);
            free(a1);
            Tensor e = temb.apply(torch.silu(t));
            Tensor h = c1.add(e.reshape(e.size(0), e.size(1), 1, 1));
            free(c1);
            Tensor n2 = norm2.apply(h);
            free(h);
            Tensor a2 = torch.silu(n2);
            free(n2);
            Tensor d = torch.dropout(a2, DROPOUT, training);
            free(a2);
            Tensor c2 = conv2.apply(d);
            free(d);
            Tensor r = shortcut == null ? x : shortcut.apply(x);
            Tensor y = r.add(c2);
            free(c2);
            if (shortcut != null) {
                free(r);
            }
            return y;
        }
    }

    private final class Attention {
        final GroupNorm norm;
        final Conv q;
        final Conv k;
        final Conv v;
        final Conv out;
        final Scalar scale;

        Attention(int c) {
            norm = new GroupNorm(32, c, 1e-6);
            q = new Conv(c, c, 1);
            k = new Conv(c, c, 1);
            v = new Conv(c, c, 1);
            out = new Conv(c, c, 1);
            scale = new Scalar(1 / Math.sqrt(c));
        }

        Tensor apply(Tensor x) {
            long b = x.size(0);
            long c = x.size(1);
            long h = x.size(2);
            long w = x.size(3);
            Tensor n = norm.apply(x);
            Tensor qt = q.apply(n).reshape(b, c, h * w).permute(0, 2, 1);
            Tensor kt = k.apply(n).reshape(b, c, h * w);
            Tensor vt = v.apply(n).reshape(b, c, h * w);
            Tensor s = Ops.bmm(qt, kt).mul(scale);
            Tensor p = s.softmax(2);
            Tensor o = Ops.bmm(vt, p.permute(0, 2, 1)).reshape(b, c, h, w);
            Tensor y = out.apply(o);
            Tensor z = x.add(y);
            free(n, qt, kt, vt, s, p, o, y);
            return z;
        }
    }
}
