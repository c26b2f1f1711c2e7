package nativelib;

/**
 * Convolution, products and softmax of floats or, where a call is told {@code half}, of bfloat16, on native memory. Arguments are addresses of 64-byte aligned, row-major arrays;
 * 0 stands for "none" where a bias may be absent. Nothing is checked here but what oneDNN refuses, which throws
 * {@link IllegalStateException}: the caller has checked shapes and lifetimes. Primitives are made at the first call with a
 * shape and kept.
 *
 * <p>Images are [N,H,W,C], filters [K,R,S,C/groups]. The geometry of a convolution is the array
 * {@code {N, H, W, C, K, R, S, P, Q, stride, top, left, bottom, right, groups}}.
 */
public final class OneDnn {
    private OneDnn() {}

    /** An empty store for the copies of one filter in oneDNN's layouts; to be freed once. */
    public static native long newPackedFilters();

    /** Frees what {@link #newPackedFilters} made. */
    public static native void freePackedFilters(long packed);

    /**
     * y ← x ∗ w + bias.
     *
     * @param packed the store of this filter
     * @param version changes whenever the contents of w do
     */
    public static native void convolution(
            boolean half, int[] geometry, long x, long w, long bias, long y, long packed, long version);

    /** dx ← the gradient with respect to x; {@code packed} and {@code version} as in {@link #convolution}. */
    public static native void convolutionBackwardData(
            boolean half, int[] geometry, long w, long dy, long dx, long packed, long version);

    /** dw ← the gradient with respect to w, and dbias unless 0. */
    public static native void convolutionBackwardWeights(
            boolean half, int[] geometry, long x, long dy, long dw, long dbias);

    /**
     * y [batch, m, n] ← op(a) · op(b) + bias, with op(a) [batch, m, inner] and op(b) [batch, inner, n]; op transposes the last
     * two axes or does nothing. A shared factor has no batch axis and serves every batch.
     */
    public static native void matmul(
            boolean half,
            int batch,
            int m,
            int n,
            int inner,
            boolean ta,
            boolean tb,
            boolean aShared,
            boolean bShared,
            long a,
            long b,
            long bias,
            long y);

    /** y ← softmax along the middle axis of x [outer, length, inner]. */
    public static native void softmax(boolean half, int outer, int length, int inner, long x, long y);

    /** dx ← y · (dy − Σ y·dy) along the middle axis. */
    public static native void softmaxBackward(boolean half, int outer, int length, int inner, long y, long dy, long dx);
}
