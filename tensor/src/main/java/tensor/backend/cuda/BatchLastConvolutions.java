package tensor.backend.cuda;

import java.util.ArrayList;
import java.util.List;
import tensor.DType;
import tensor.Tensor;
import tensor.backend.Precision;
import tensor.memory.Buffer;

/**
 * Gradients of filters as products by cuBLAS, of images that have been written out anew with their batch innermost.
 *
 * <pre>dw[k, r, s, c] = Σ over (n, p, q) of dy[n, p, q, k] x[n, p + r − top, q + s − left, c]</pre>
 *
 * What is summed over are pixels, and with channels last these do not lie beside one another in either factor. Of halves the
 * tensor cores of Hopper take such factors as they are, of floats (TF32) they do not, and cuDNN's kernels for this call do half
 * of what those for the two others do. So both factors are turned, x with its border of zeros:
 *
 * <pre>X[h, c, w, n] = x[n, h − top, w − left, c]      Y[p, k, q, n] = dy[n, p, q, k]</pre>
 *
 * R rows of X from row p on are a matrix of rows (r, c), and of columns (q, n) from column s on, which begins at a multiple of n
 * values whatever s is: with the pixels innermost it would not be aligned. A call for each s makes the products of all p,
 *
 * <pre>parts[s, p] = X[p … p + R − 1, from s on] Y[p]ᵀ      [R·C, K]      dw[k, r, s, c] = Σ_p parts[s, p, (r, c), k]</pre>
 *
 * which cuBLAS has better kernels for than for their transposes.
 *
 * Kernels in {@code native/src/main/cuda/batch_last.cu}.
 */
final class BatchLastConvolutions {
    /** Values in 16 bytes: rows of the products begin at multiples of it. */
    private static final int VECTOR = 4;
    /** Channels and images of a block. */
    private static final int CHANNELS = 32;

    private static final int IMAGES = 128;
    private static final int THREADS = 256;
    /** Filters and channels of a block that adds up parts. */
    private static final int TILE = 32;

    private final Engine engine;
    private final Products products;

    BatchLastConvolutions(Engine engine, Products products) {
        this.engine = engine;
        this.products = products;
    }

    /**
     * Whether the call can be made so, and could be worth it.
     *
     * @param room bytes for everything beside the tensors
     */
    boolean serves(Geometry g, long room) {
        boolean aligned = g.n() % VECTOR == 0 && g.c() % VECTOR == 0 && g.k() % VECTOR == 0;
        return engine.precision() == Precision.TF32
                && g.dtype() == DType.F32
                && g.stride() == 1
                && g.groups() == 1
                && aligned
                && DType.F32.bytes() * (turned(g) + gradient(g) + parts(g)) <= room;
    }

    private static long turned(Geometry g) {
        return (long) g.n() * (g.h() + 2 * g.padH()) * (g.w() + 2 * g.padW()) * g.c();
    }

    private static long gradient(Geometry g) {
        return (long) g.n() * g.p() * g.q() * g.k();
    }

    private static long parts(Geometry g) {
        return (long) g.s() * part(g);
    }

    /** Values of the products for one s. */
    private static long part(Geometry g) {
        return (long) g.p() * g.k() * g.r() * g.c();
    }

    /** {@link Convolutions#weights} without the bias. */
    void weights(Geometry g, Tensor x, Tensor dy, Tensor dw) {
        List<Buffer> blocks = new ArrayList<>();
        try {
            Buffer turned = scratch(turned(g), blocks);
            Buffer gradient = scratch(gradient(g), blocks);
            Buffer parts = scratch(parts(g), blocks);
            turn(x, turned, g.padH(), g.padW());
            turn(dy, gradient, 0, 0);
            int row = (g.w() + 2 * g.padW()) * g.n();
            int inner = g.q() * g.n();
            int width = g.r() * g.c();
            Matrix xs = new Matrix(DType.F32, turned.address(), row, (long) g.c() * row);
            Matrix ys = new Matrix(DType.F32, gradient.address(), inner, (long) g.k() * inner);
            Matrix sums = new Matrix(DType.F32, parts.address(), g.k(), (long) g.k() * width);
            for (int s = 0; s < g.s(); s++)
                products.multiply(
                        false, true, width, g.k(), inner, xs.at((long) s * g.n()), ys, sums.at(s * part(g)), g.p());
            engine.launch(Kernel.ADD_PARTS, DType.F32)
                    .address(parts.address())
                    .tensor(dw)
                    .integer(g.k())
                    .integer(g.r())
                    .integer(g.s())
                    .integer(g.c())
                    .integer(g.p())
                    .grid((g.k() + TILE - 1) / TILE, (g.c() + TILE - 1) / TILE, g.r() * g.s(), TILE, TILE / 4, 0);
        } finally {
            blocks.forEach(Buffer::release);
        }
    }

    private Buffer scratch(long values, List<Buffer> blocks) {
        blocks.add(engine.scratch(DType.F32.bytes() * values));
        return blocks.get(blocks.size() - 1);
    }

    /** turned [h + 2·top, c, w + 2·left, n] ← x [n, h, w, c]. */
    private void turn(Tensor x, Buffer turned, int top, int left) {
        int n = x.shape().get(0);
        int h = x.shape().get(1);
        int w = x.shape().get(2);
        int c = x.shape().get(3);
        int pixels = (h + 2 * top) * (w + 2 * left);
        engine.launch(Kernel.BATCH_LAST, DType.F32)
                .tensor(x)
                .address(turned.address())
                .integer(n)
                .integer(h)
                .integer(w)
                .integer(c)
                .integer(top)
                .integer(left)
                .grid(pixels * ((c + CHANNELS - 1) / CHANNELS), (n + IMAGES - 1) / IMAGES, THREADS, 1, 0);
    }
}
