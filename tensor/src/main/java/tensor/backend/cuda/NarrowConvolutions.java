package tensor.backend.cuda;

import tensor.DType;
import tensor.Tensor;
import tensor.backend.Precision;
import tensor.backend.cuda.ConvolutionAlgorithm.Direction;
import tensor.memory.Buffer;

/**
 * Convolutions with few channels on one side, like the first and the last of a network of images, as products by cuBLAS.
 * cuDNN fills up the few to as many as its tensor-core kernels want, and then has slow ones only. Here the patch of each
 * pixel is written out, which with few channels are few bytes:
 *
 * <pre>few inputs:   X[(n,p,q), (r,s,c)] = x[n, p·stride + r − top, q·stride + s − left, c], then 1      W[k, (r,s,c)] = w, then bias
 *               y = X Wᵀ      (dw, dbias) = dyᵀ X
 * few outputs:  Y[(n,h,w), (r,s,k)] = dy[n, h + top − r, w + left − s, k]      W[c, (r,s,k)] = w
 *               dx = Y Wᵀ     dw = xᵀ Y     y = bias + Σ over (r, s) of what lies in Wᵀ xᵀ beside the pixel</pre>
 *
 * Y is X of the convolution backwards with its taps from the last on. Gradients of filters and the sums over taps are
 * floats before they are rounded once. Kernels in {@code native/src/main/cuda/narrow.cu}.
 */
final class NarrowConvolutions {
    /** Channels are few below this number, to which cuDNN would fill them up. */
    private static final int FEW = 8;
    /** Most values of a patch. */
    private static final int PATCH = 64;

    private final Engine engine;
    private final Products products;

    NarrowConvolutions(Engine engine, Products products) {
        this.engine = engine;
        this.products = products;
    }

    /** Whether these products serve the call: few channels and small patches on one side, whole vectors of channels on the other. */
    static boolean serves(Direction direction, Geometry g) {
        return direction != Direction.DATA && fewInputs(g) || fewOutputs(g);
    }

    private static boolean fewInputs(Geometry g) {
        return g.groups() == 1 && g.c() < FEW && g.k() % FEW == 0 && g.r() * g.s() * g.c() <= PATCH;
    }

    private static boolean fewOutputs(Geometry g) {
        return g.stride() == 1 && fewInputs(g.backwards());
    }

    /** y with bias and z, which may be {@code null}, added. */
    void forward(Geometry g, Tensor x, Tensor w, Tensor bias, Tensor z, Tensor y) {
        if (fewInputs(g)) {
            boolean rounded = engine.precision() == Precision.TF32; // as a factor the bias would lose its last bits
            convolve(g, false, x, w, rounded ? null : bias, y);
            engine.addBias(y, rounded ? bias : null, z);
            return;
        }
        Buffer filters = pack(g.backwards(), true, w, null);
        int length = length(g.backwards());
        Buffer taps = engine.scratch((long) length * g.pixels() * DType.F32.bytes());
        products.multiply(
                true,
                true,
                length,
                g.pixels(),
                g.c(),
                matrix(g.dtype(), filters, length),
                g.image(x),
                matrix(DType.F32, taps, g.pixels()),
                1);
        engine.launch(Kernel.FOLD, g.dtype())
                .address(taps.address())
                .tensor(bias)
                .tensor(z)
                .tensor(y)
                .convolution(g, false)
                .flat(y.shape().size());
        taps.release();
        filters.release();
    }

    void data(Geometry g, Tensor w, Tensor dy, Tensor dx) {
        convolve(g.backwards(), true, dy, w, null, dx);
    }

    /** dw, and dbias if it is not {@code null} and falls out: whether it does. */
    boolean weights(Geometry g, Tensor x, Tensor dy, Tensor dw, Tensor dbias) {
        boolean inputs = fewInputs(g);
        if (inputs) slopes(g, false, x, dy, dw, dbias);
        else slopes(g.backwards(), true, dy, x, dw, null);
        return inputs;
    }

    /** y [n,p,q,k] ← the image x, whose channels are few, with the filters flipped and turned or as they are. */
    private void convolve(Geometry g, boolean turned, Tensor x, Tensor w, Tensor bias, Tensor y) {
        int length = length(g);
        Buffer columns = unfold(g, turned, x);
        Buffer filters = pack(g, turned, w, bias);
        products.multiply(
                false,
                true,
                rows(g),
                g.k(),
                length,
                matrix(g.dtype(), columns, length),
                matrix(g.dtype(), filters, length),
                g.result(y),
                1);
        filters.release();
        columns.release();
    }

    private void slopes(Geometry g, boolean turned, Tensor x, Tensor dy, Tensor dw, Tensor dbias) {
        int length = length(g);
        Buffer columns = unfold(g, turned, x);
        Buffer filters = engine.scratch((long) g.k() * length * DType.F32.bytes());
        products.multiply(
                true,
                false,
                g.k(),
                length,
                rows(g),
                g.result(dy),
                matrix(g.dtype(), columns, length),
                matrix(DType.F32, filters, length),
                1);
        filters(
                engine.launch(Kernel.UNPACK_FILTERS, g.dtype())
                        .address(filters.address())
                        .tensor(dw)
                        .tensor(dbias),
                g,
                turned);
        filters.release();
        columns.release();
    }

    /** The patches [rows, length]. */
    private Buffer unfold(Geometry g, boolean flipped, Tensor x) {
        long size = (long) rows(g) * length(g);
        Buffer columns = engine.scratch(size * g.dtype().bytes());
        engine.launch(Kernel.UNFOLD, g.dtype())
                .tensor(x)
                .address(columns.address())
                .convolution(g, flipped)
                .integer(length(g))
                .flat(size * g.dtype().bytes() / 16);
        return columns;
    }

    /** The filters and the bias, which may be {@code null}, as a matrix [k, length]. */
    private Buffer pack(Geometry g, boolean turned, Tensor w, Tensor bias) {
        Buffer filters = engine.scratch((long) g.k() * length(g) * g.dtype().bytes());
        filters(
                engine.launch(Kernel.PACK_FILTERS, g.dtype())
                        .tensor(w)
                        .tensor(bias)
                        .address(filters.address()),
                g,
                turned);
        return filters;
    }

    private static void filters(Launch launch, Geometry g, boolean turned) {
        launch.integer(g.k())
                .integer(g.r() * g.s())
                .integer(g.c())
                .integer(length(g))
                .integer(turned)
                .flat((long) g.k() * length(g));
    }

    /** Values of a patch, the 1, and zeros up to whole vectors. */
    private static int length(Geometry g) {
        return (g.r() * g.s() * g.c() / FEW + 1) * FEW;
    }

    private static int rows(Geometry g) {
        return g.n() * g.p() * g.q();
    }

    private static Matrix matrix(DType dtype, Buffer block, int row) {
        return new Matrix(dtype, block.address(), row, 0);
    }
}
