package tensor.backend.cpu;

import nativelib.Cpu;
import nativelib.Kernels;
import nativelib.OneDnn;
import tensor.DType;
import tensor.Shape;
import tensor.Tensor;
import tensor.backend.Conv2dParams;
import tensor.backend.Region;

/** The calls that oneDNN answers, and the convolutions that we do faster: shapes become the numbers that are asked with. Arguments have been checked. */
final class Layers {
    static final Conv2dParams PIXEL_BY_PIXEL = Conv2dParams.of(1, 0);
    private static final int LEAST_CHANNELS = 16;
    private static final int LEAST_TILES = 128;
    private static final int MOST_PIXEL_CHANNELS = 160;
    private static final int LEAST_PIXELS = 512;
    private static final boolean MULTIPLIES_HALVES = Cpu.multipliesHalves();

    private Layers() {}

    static long address(Tensor t) {
        return t == null ? 0 : t.buffer().address();
    }

    /** Whether the values are {@link DType#BF16}. */
    static boolean half(Tensor t) {
        return t.dtype() == DType.BF16;
    }

    static void matmul(boolean ta, boolean tb, Tensor a, Tensor b, Tensor bias, Tensor y) {
        Shape ys = y.shape();
        int m = ys.get(-2);
        int n = ys.get(-1);
        int inner = a.shape().get(ta ? -2 : -1);
        int batch = ys.size() / (m * n);
        boolean aShared = batch > 1 && a.shape().rank() == 2;
        boolean bShared = batch > 1 && b.shape().rank() == 2;
        OneDnn.matmul(
                half(a),
                batch,
                m,
                n,
                inner,
                ta,
                tb,
                aShared,
                bShared,
                address(a),
                address(b),
                address(bias),
                address(y));
    }

    static void conv2d(Conv2dParams p, Tensor x, Tensor w, Tensor bias, Tensor y) {
        int[] geometry = geometry(p, x, w, y);
        long copies = FilterCopies.of(w);
        long version = w.buffer().version();
        if (winogradPays(p, x, w, y))
            Kernels.winograd(half(x), geometry, address(x), address(w), address(bias), address(y), copies, version);
        else OneDnn.convolution(half(x), geometry, address(x), address(w), address(bias), address(y), copies, version);
    }

    static void conv2dBackwardData(Conv2dParams p, Tensor w, Tensor dy, Tensor dx) {
        int[] geometry = geometry(p, dx, w, dy);
        long copies = FilterCopies.of(w);
        long version = w.buffer().version();
        if (winogradPays(p, dx, w, dy))
            Kernels.winogradBackwardData(half(w), geometry, address(w), address(dy), address(dx), copies, version);
        else OneDnn.convolutionBackwardData(half(w), geometry, address(w), address(dy), address(dx), copies, version);
    }

    static void conv2dBackwardWeights(Conv2dParams p, Tensor x, Tensor dy, Tensor dw, Tensor dbias) {
        int[] geometry = geometry(p, x, dw, dy);
        if (pixelsPay(p, x, dw, dy))
            Kernels.pixelWeights(geometry, address(x), address(dy), address(dw), address(dbias));
        else if (winogradPays(p, x, dw, dy))
            Kernels.winogradBackwardWeights(half(x), geometry, address(x), address(dy), address(dw), address(dbias));
        else OneDnn.convolutionBackwardWeights(half(x), geometry, address(x), address(dy), address(dw), address(dbias));
    }

    /**
     * Whether a convolution is computed by Winograd's F(4x4, 3x3) or F(2x2, 3x3) instead of by oneDNN: 3x3, stride 1, enough
     * channels for the products to outweigh the transforms of values, and enough tiles for those of filters; in halves only
     * where the processor multiplies them. Measured on two Zen 4 cores it is 1.2 to 3 times as fast within these bounds.
     */
    private static boolean winogradPays(Conv2dParams p, Tensor x, Tensor w, Tensor y) {
        Shape ws = w.shape();
        Shape ys = y.shape();
        boolean typed = !half(x) || MULTIPLIES_HALVES;
        boolean possible = typed && ws.get(1) == 3 && ws.get(2) == 3 && p.stride() == 1 && p.groups() == 1;
        boolean padded = Math.max(Math.max(p.top(), p.bottom()), Math.max(p.left(), p.right())) <= 2;
        int tiles = ys.get(0) * ((ys.get(1) + 1) / 2) * ((ys.get(2) + 1) / 2);
        return possible && padded && Math.min(ws.get(0), ws.get(3)) >= LEAST_CHANNELS && tiles >= LEAST_TILES;
    }

    /**
     * Whether the weight gradient of a 1x1 convolution is our own sum over pixels instead of oneDNN's product of matrices: halves
     * that the processor multiplies, stride 1, channels that fill vectors but are few, for wider ones oneDNN's blocks are
     * better. Measured on two Zen 5 cores it is 1.3 to 1.65 times as fast within these bounds.
     */
    private static boolean pixelsPay(Conv2dParams p, Tensor x, Tensor w, Tensor y) {
        Shape ws = w.shape();
        boolean single = ws.get(1) == 1 && ws.get(2) == 1 && p.equals(PIXEL_BY_PIXEL);
        boolean narrow = Math.min(ws.get(0), ws.get(3)) >= LEAST_CHANNELS
                && Math.max(ws.get(0), ws.get(3)) <= MOST_PIXEL_CHANNELS;
        return half(x) && MULTIPLIES_HALVES && single && narrow && y.shape().size() / ws.get(0) >= LEAST_PIXELS;
    }

    /**
     * Whether a 1x1 convolution of few channels steps over pixels, whose weight gradient is to be that of the pixels it meets:
     * with AVX2 and fewer than 8 channels oneDNN 3.13 writes beyond its copy of these, gives wrong sums or never comes back
     * (<a href="https://github.com/uxlfoundation/oneDNN/issues/6035">issue 6035</a>).
     */
    static boolean skipsPixels(Conv2dParams p, Tensor x, Tensor w) {
        boolean single = w.shape().get(1) == 1 && w.shape().get(2) == 1;
        return single
                && p.stride() > 1
                && p.equals(Conv2dParams.of(p.stride(), 0))
                && x.shape().get(3) < LEAST_CHANNELS;
    }

    /** The pixels of x [N,H,W,C] that such a convolution meets: [N,P,Q,C] for dy [N,P,Q,K]. */
    static Region pixelsMet(Conv2dParams p, Tensor x, Tensor dy) {
        long[] strides = x.shape().strides();
        strides[1] *= p.stride();
        strides[2] *= p.stride();
        return new Region(x, 0, dy.shape().with(3, x.shape().get(3)).toArray(), strides);
    }

    /**
     * Whether a filter lies beyond the image altogether somewhere, so that the image is to be given with its border: oneDNN 3.13
     * can end the process where there is nothing to add up.
     */
    static boolean looksBeyond(Conv2dParams p, Tensor x, Tensor w, Tensor y) {
        boolean before = p.top() >= w.shape().get(1) || p.left() >= w.shape().get(2);
        int lastRow = (y.shape().get(1) - 1) * p.stride() - p.top();
        int lastColumn = (y.shape().get(2) - 1) * p.stride() - p.left();
        return before || lastRow >= x.shape().get(1) || lastColumn >= x.shape().get(2);
    }

    /**
     * Whether the weight gradient of a convolution in halves is to be computed in floats: where an image is narrower than the
     * stride, the sums of oneDNN 3.13 depend on what its scratchpad held before.
     */
    static boolean asksForFloats(Conv2dParams p, Tensor x) {
        return half(x) && x.shape().get(2) < p.stride();
    }

    private static int[] geometry(Conv2dParams p, Tensor x, Tensor w, Tensor y) {
        Shape xs = x.shape();
        Shape ws = w.shape();
        Shape ys = y.shape();
        return new int[] {
            xs.get(0),
            xs.get(1),
            xs.get(2),
            xs.get(3),
            ws.get(0),
            ws.get(1),
            ws.get(2),
            ys.get(1),
            ys.get(2),
            p.stride(),
            p.top(),
            p.left(),
            p.bottom(),
            p.right(),
            p.groups()
        };
    }

    static void softmax(int axis, Tensor x, Tensor y) {
        int[] s = stack(axis, x.shape());
        OneDnn.softmax(half(x), s[0], s[1], s[2], address(x), address(y));
    }

    static void softmaxBackward(int axis, Tensor y, Tensor dy, Tensor dx) {
        int[] s = stack(axis, y.shape());
        OneDnn.softmaxBackward(half(y), s[0], s[1], s[2], address(y), address(dy), address(dx));
    }

    /** The shape as {outer, length of the axis, inner}. */
    private static int[] stack(int axis, Shape x) {
        int inner = 1;
        for (int i = axis + 1; i < x.rank(); i++) inner *= x.get(i);
        return new int[] {x.size() / x.get(axis) / inner, x.get(axis), inner};
    }
}
