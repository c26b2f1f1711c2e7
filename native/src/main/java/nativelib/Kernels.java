package nativelib;

/**
 * The hand-written kernels, on native memory: everything that oneDNN does not have or does slowly. Arguments are
 * addresses of row-major arrays; a 0 stands for an absent one where the text says so. Arrays hold floats or, where a kernel
 * is told {@code half}, bfloat16 ({@link Cpu#hasHalves} must say so); indices, a norm's statistics, gains and conditions, and
 * the logSum of an attention are floats always. Nothing is checked here: shapes
 * and lifetimes are the caller's duty, before the crossing. The formulas stand at {@code tensor.backend.Backend}.
 *
 * <p>Every kernel gives the same bits for any number of threads: sums are cut by the shape alone and put together in a
 * fixed order.
 */
public final class Kernels {
    private Kernels() {}

    // ---- memory ----------------------------------------------------------------------------------------------

    /**
     * A block whose address is a multiple of 64.
     *
     * @throws OutOfMemoryError when the system has none
     */
    public static native long allocate(long bytes);

    /** Gives a block back. */
    public static native void free(long address);

    /** y ← source, rounded to halves where y has them. */
    public static native void upload(boolean half, float[] source, long y);

    /** y ← source, rounded. */
    public static native void uploadDoubles(boolean half, double[] source, long y);

    /** target ← x. */
    public static native void download(boolean half, long x, float[] target);

    /** target ← x. */
    public static native void downloadDoubles(boolean half, long x, double[] target);

    /** y [n], halves ← x, floats, rounded to nearest even. */
    public static native void narrow(long x, long y, long n);

    /** y [n], floats ← x, halves. */
    public static native void widen(long x, long y, long n);

    // ---- pointwise, movement, chance -------------------------------------------------------------------------

    /** y[0 … n−1] ← value. */
    public static native void fill(boolean half, long y, long n, float value);

    /** Copies a box of at most 8 axes; addresses are those of the first elements, strides count elements. */
    public static native void copy(boolean half, long from, long[] fromStrides, long to, long[] toStrides, int[] sizes);

    /** y[i] ← f(x[i]); f by its place in {@code UnaryOp}. */
    public static native void unary(boolean half, int f, long x, long y, long n);

    /**
     * y ← f(a, b), f by its place in {@code BinaryOp}; strides of a and b count elements and are 0 along axes that are
     * broadcast.
     */
    public static native void binary(
            boolean half, int f, long a, long[] aStrides, long b, long[] bStrides, long y, int[] shape);

    /** y ← the sum (f = 0) or maximum (f = 1) of x over the axes where {@code yShape} is 1. */
    public static native void reduce(boolean half, int f, long x, int[] xShape, long y, int[] yShape);

    /** y[i] ← draw {@code offset + i}; kind by its place in {@code Distribution.Kind}; offset a multiple of 4. */
    public static native void random(boolean half, int kind, double parameter, long seed, long offset, long y, long n);

    /** y[i] ← x[i] times draw i of the distribution "keep". */
    public static native void dropout(boolean half, double probability, long seed, long offset, long x, long y, long n);

    /** y[i] ← table[index[i]], rows of {@code width}; the first place with an index that is not one of 0 … rows−1, or −1. */
    public static native int gather(boolean half, long table, int rows, int width, long index, int n, long y);

    /** dtable ← 0, then dtable[index[i]] += dy[i]; the first place with an index that is not one of 0 … rows−1, or −1. */
    public static native int scatterAdd(boolean half, long index, int n, long dy, long dtable, int rows, int width);

    // ---- normalisation, attention ----------------------------------------------------------------------------

    /** Group norm of x [n, spatial, channels]; offset may be 0, gamma, beta may be 0 together, scale, shift likewise. */
    public static native void groupNorm(
            boolean half,
            int n,
            int spatial,
            int channels,
            int groups,
            float eps,
            boolean silu,
            long x,
            long offset,
            long gamma,
            long beta,
            long scale,
            long shift,
            long y,
            long mean,
            long rstd);

    /**
     * Its gradients; doffset is 0 exactly when offset is, dgamma, dbeta exactly when gamma is, dscale, dshift exactly when
     * scale is; before and more may be 0, more must be where before is.
     */
    public static native void groupNormBackward(
            boolean half,
            int n,
            int spatial,
            int channels,
            int groups,
            boolean silu,
            long x,
            long offset,
            long gamma,
            long beta,
            long scale,
            long shift,
            long mean,
            long rstd,
            long dy,
            long before,
            long more,
            long dx,
            long doffset,
            long dgamma,
            long dbeta,
            long dscale,
            long dshift);

    /** Softmax attention: qkv [n, length, 3·heads·width] → y, logSum. */
    public static native void attention(
            boolean half, int n, int length, int heads, int width, float scale, long qkv, long y, long logSum);

    /** Its gradient. */
    public static native void attentionBackward(
            boolean half,
            int n,
            int length,
            int heads,
            int width,
            float scale,
            long qkv,
            long y,
            long logSum,
            long dy,
            long dqkv);

    /** Linear attention: x [n, length, channels] and its projection w, or with 0 channels qkv and nothing → y, context, logSum. */
    public static native void linearAttention(
            boolean half,
            int n,
            int length,
            int heads,
            int width,
            float scale,
            int channels,
            long x,
            long w,
            long y,
            long context,
            long logSum);

    /** Its gradient. */
    public static native void linearAttentionBackward(
            boolean half,
            int n,
            int length,
            int heads,
            int width,
            float scale,
            int channels,
            long x,
            long w,
            long context,
            long logSum,
            long dy,
            long dx,
            long dw);

    // ---- 3x3 convolutions of stride 1: geometry, packed and version as in OneDnn; halves if Cpu.multipliesHalves ---

    /** y ← x ∗ w + bias by Winograd's F(4x4, 3x3) or F(2x2, 3x3). */
    public static native void winograd(
            boolean half, int[] geometry, long x, long w, long bias, long y, long packed, long version);

    /** dx ← the gradient with respect to x, likewise. */
    public static native void winogradBackwardData(
            boolean half, int[] geometry, long w, long dy, long dx, long packed, long version);

    /** dw ← the gradient with respect to w, likewise, and dbias unless 0. */
    public static native void winogradBackwardWeights(
            boolean half, int[] geometry, long x, long dy, long dw, long dbias);

    /** dw ← dyᵀ · x, and dbias unless 0, of a 1x1 convolution between 16 channels or more; halves if Cpu.multipliesHalves. */
    public static native void pixelWeights(int[] geometry, long x, long dy, long dw, long dbias);

    // ---- updates: addresses and sizes of all tensors ---------------------------------------------------------

    /** One Adam update by gradients that are halves or floats; the correction factors 1/(1 − β₁ᵗ) and 1/(1 − β₂ᵗ) are worked out from step. */
    public static native void adam(
            boolean half,
            double learningRate,
            double beta1,
            double beta2,
            double eps,
            double weightDecay,
            boolean decoupled,
            long step,
            double gradientScale,
            long[] w,
            long[] dw,
            long[] m,
            long[] v,
            long[] sizes);

    /** average ← decay · average + (1 − decay) · w. */
    public static native void exponentialAverage(double decay, long[] average, long[] w, long[] sizes);

    /** Σ x², in double. */
    public static native double sumOfSquares(boolean half, long[] x, long[] sizes);
}
