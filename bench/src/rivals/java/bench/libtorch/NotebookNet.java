package bench.libtorch;

import static bench.libtorch.Ops.free;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorOptional;
import org.bytedeco.pytorch.global.torch;

/**
 * The preset {@code annotated} in libtorch: the ConvNeXt U-Net of the notebook "The Annotated Diffusion Model", op for op.
 * The skip of the full resolution, which the notebook keeps and never uses, is not kept.
 */
final class NotebookNet extends Net {
    private static final long[] ONE = {1, 1};

    private final int dim;
    private final Conv stem;
    private final Linear time1;
    private final Linear time2;
    private final List<Level> downs = new ArrayList<>();
    private final List<Level> ups = new ArrayList<>();
    private final ConvNext middle1;
    private final PreNorm middleAttention;
    private final ConvNext middle2;
    private final ConvNext headBlock;
    private final Conv head;

    /** A level; down is a strided convolution, up a transposed one, at most one of them is there. */
    private record Level(ConvNext block1, ConvNext block2, PreNorm attention, Conv down, Up up) {}

    NotebookNet(int dim, int channels, int[] mults, boolean channelsLast) {
        super(channelsLast);
        this.dim = dim;
        int stemWidth = dim / 3 * 2;
        stem = new Conv(channels, stemWidth, 7);
        time1 = new Linear(dim, 4 * dim);
        time2 = new Linear(4 * dim, 4 * dim);
        int levels = mults.length;
        for (int i = 0; i < levels; i++) {
            int in = i == 0 ? stemWidth : dim * mults[i - 1];
            int out = dim * mults[i];
            Conv down = i == levels - 1 ? null : new Conv(out, out, 4, 2, 1, true);
            downs.add(new Level(
                    new ConvNext(in, out, true), new ConvNext(out, out, true), new PreNorm(out, true), down, null));
        }
        int bottom = dim * mults[levels - 1];
        middle1 = new ConvNext(bottom, bottom, true);
        middleAttention = new PreNorm(bottom, false);
        middle2 = new ConvNext(bottom, bottom, true);
        for (int i = levels - 1; i >= 1; i--) {
            int in = dim * mults[i];
            int out = dim * mults[i - 1];
            ups.add(new Level(
                    new ConvNext(2 * in, out, true),
                    new ConvNext(out, out, true),
                    new PreNorm(out, true),
                    null,
                    new Up(out)));
        }
        headBlock = new ConvNext(dim, dim, false);
        head = new Conv(dim, channels, 1);
    }

    @Override
    Tensor forward(Tensor in, Tensor time) {
        Tensor t = time2.apply(torch.gelu(time1.apply(sinusoidal(time, dim))));
        Deque<Tensor> skips = new ArrayDeque<>();
        Tensor x = stem.apply(in);
        for (Level level : downs) {
            x = features(level, x, t);
            boolean first = level == downs.get(0);
            if (!first) skips.push(x);
            if (level.down != null) {
                Tensor y = level.down.apply(x);
                if (first) free(x);
                x = y;
            }
        }
        Tensor bottom = middle1.apply(x, t);
        x = next(bottom, middleAttention.apply(bottom));
        x = next(x, middle2.apply(x, t));
        for (Level level : ups) {
            x = joined(x, skips.pop());
            x = features(level, x, t);
            x = next(x, level.up.apply(x));
        }
        x = next(x, headBlock.apply(x, null));
        return next(x, head.apply(x));
    }

    private static Tensor features(Level level, Tensor x, Tensor t) {
        Tensor y = next(x, level.block1.apply(x, t));
        y = next(y, level.block2.apply(y, t));
        return next(y, level.attention.apply(y));
    }

    /** Transposed 4x4 convolution, stride 2. */
    private final class Up {
        final Tensor w;
        final TensorOptional b;

        Up(int channels) {
            double bound = 1 / Math.sqrt(channels * 16);
            w = uniform(bound, channels, channels, 4, 4);
            b = new TensorOptional(uniform(bound, channels));
        }

        Tensor apply(Tensor x) {
            return torch.conv_transpose2d(x, w, b, new long[] {2, 2}, ONE, new long[] {0, 0}, 1, ONE);
        }
    }

    /** Depthwise 7x7, the time, then two 3x3 convolutions through twice the width. */
    private final class ConvNext {
        final Linear mlp;
        final Tensor depthwise;
        final TensorOptional depthwiseBias;
        final GroupNorm norm1;
        final Conv conv1;
        final GroupNorm norm2;
        final Conv conv2;
        final Conv res;
        final int in;

        ConvNext(int in, int out, boolean timed) {
            this.in = in;
            mlp = timed ? new Linear(4 * dim, in) : null;
            depthwise = uniform(1.0 / 7, in, 1, 7, 7);
            depthwiseBias = new TensorOptional(uniform(1.0 / 7, in));
            norm1 = new GroupNorm(1, in);
            conv1 = new Conv(in, 2 * out, 3);
            norm2 = new GroupNorm(1, 2 * out);
            conv2 = new Conv(2 * out, out, 3);
            res = in == out ? null : new Conv(in, out, 1);
        }

        Tensor apply(Tensor x, Tensor t) {
            Tensor h = torch.conv2d(x, depthwise, depthwiseBias, ONE, new long[] {3, 3}, ONE, in);
            if (mlp != null) {
                Tensor e = mlp.apply(torch.gelu(t));
                h = next(h, h.add(e.reshape(e.size(0), e.size(1), 1, 1)));
            }
            h = next(h, norm1.apply(h));
            h = next(h, conv1.apply(h));
            h = next(h, torch.gelu(h));
            h = next(h, norm2.apply(h));
            h = next(h, conv2.apply(h));
            if (res == null) return next(h, h.add(x));
            Tensor r = res.apply(x);
            Tensor y = h.add(r);
            free(h, r);
            return y;
        }
    }
}
