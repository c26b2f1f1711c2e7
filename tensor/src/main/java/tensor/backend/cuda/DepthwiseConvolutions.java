package tensor.backend.cuda;

import tensor.DType;
import tensor.Tensor;
import tensor.backend.ReduceOp;
import tensor.memory.Buffer;

/**
 * Convolutions in which every channel has filters of its own, by our own kernels: they take any padding and always sum in
 * the same order, which cuDNN promises for neither. Formulas in {@code native/src/main/cuda/depthwise.cu}.
 */
final class DepthwiseConvolutions {
    /** Channels of one thread block, side by side. */
    private static final int LANES = 32;
    /** Threads of one block below one another, each with its pixels. */
    private static final int LINES = 8;
    /** Neighbouring pixels of one thread. */
    private static final int RUN = 4;
    /** The same of a {@link #usual} convolution, and how many rows of them. */
    private static final int LONG = 7;

    private static final int HIGH = 2;
    /** Bytes of shared memory that a block has without asking for more. */
    private static final int SHARED = 48 << 10;

    private final Engine engine;
    private final Reductions reductions;

    DepthwiseConvolutions(Engine engine, Reductions reductions) {
        this.engine = engine;
        this.reductions = reductions;
    }

    /** Whether these kernels serve the convolution: one group for each channel, filters that fit a block's shared memory. */
    static boolean serves(Geometry g) {
        return g.groups() == g.c() && g.c() > 1 && filterBytes(g) * (g.k() / g.c()) <= SHARED;
    }

    private static int filterBytes(Geometry g) {
        return 4 * (LANES + 1) * g.r() * g.s();
    }

    /** Whether its filters and steps are those that the kernels have unrolled. */
    private static boolean usual(Geometry g) {
        return g.stride() == 1 && g.c() == g.k() && g.r() == g.s() && (g.r() == 3 || g.r() == 7);
    }

    void forward(Geometry g, Tensor x, Tensor w, Tensor y) {
        convolve(g, x, w, y, false);
    }

    private void convolve(Geometry g, Tensor x, Tensor w, Tensor y, boolean flipped) {
        int lines = usual(g)
                ? lines(g.n(), parts(g.p(), HIGH), parts(g.q(), LONG))
                : lines(g.n(), g.p(), parts(g.q(), RUN));
        engine.launch(Kernel.DEPTHWISE, x.dtype())
                .tensor(x)
                .tensor(w)
                .tensor(y)
                .convolution(g, flipped)
                .grid(parts(g.k(), LANES), lines, LANES, LINES, filterBytes(g));
    }

    /** Where steps are of one pixel and channels have one filter, a convolution too, with the filters from their last tap on. */
    void data(Geometry g, Tensor w, Tensor dy, Tensor dx) {
        if (g.stride() == 1 && g.c() == g.k()) {
            convolve(g.backwards(), dy, w, dx, true);
            return;
        }
        engine.launch(Kernel.DEPTHWISE_DATA, dy.dtype())
                .tensor(w)
                .tensor(dy)
                .tensor(dx)
                .convolution(g, false)
                .grid(
                        parts(g.c(), LANES),
                        lines(g.n(), g.h(), parts(g.w(), RUN)),
                        LANES,
                        LINES,
                        filterBytes(g) * (g.k() / g.c()));
    }

    /** Sums over slices of the images' lines, which a second kernel adds up in order. */
    void weights(Geometry g, Tensor x, Tensor dy, Tensor dw) {
        int outputs = dw.shape().size();
        long rows = (long) g.n() * g.p();
        int slices = usual(g) ? clamp(rows / 32, 128) : clamp(rows / 64, 64);
        Buffer partial = engine.scratch(DType.F32.bytes() * (long) slices * outputs);
        engine.launch(Kernel.DEPTHWISE_WEIGHTS, x.dtype())
                .tensor(x)
                .tensor(dy)
                .address(partial.address())
                .convolution(g, false)
                .integer(slices)
                .grid(parts(g.k(), LANES), usual(g) ? parts(g.r(), HIGH) : g.r(), slices, LANES, LINES, 0);
        reductions.finish(partial, ReduceOp.SUM, dw, x.dtype(), outputs, slices);
    }

    private static int parts(int whole, int part) {
        return (whole + part - 1) / part;
    }

    /** Blocks below one another for so many images, layers of an image and runs of a layer. */
    private static int lines(int images, int layers, int runs) {
        return clamp(((long) images * layers * runs + LINES - 1) / LINES, 1024);
    }

    private static int clamp(long value, int most) {
        return (int) Math.max(1, Math.min(value, most));
    }
}
