package tensor.backend.cuda;

import tensor.DType;
import tensor.Shape;
import tensor.Tensor;
import tensor.backend.Conv2dParams;

/**
 * The numbers that describe a convolution to cuDNN, and the key under which its algorithm is remembered: x [n,h,w,c], filters
 * [k,r,s,c/groups], y [n,p,q,k]. cuDNN pads both sides alike.
 */
record Geometry(
        DType dtype,
        int n,
        int h,
        int w,
        int c,
        int k,
        int r,
        int s,
        int p,
        int q,
        int stride,
        int padH,
        int padW,
        int groups) {
    private static final int SIDE = 16;

    /** The geometry of a call, taking the padding on top and at the left for that on all sides. */
    static Geometry of(Conv2dParams params, Tensor x, Tensor w, Tensor y) {
        return new Geometry(
                x.dtype(),
                x.shape().get(0),
                x.shape().get(1),
                x.shape().get(2),
                x.shape().get(3),
                w.shape().get(0),
                w.shape().get(1),
                w.shape().get(2),
                y.shape().get(1),
                y.shape().get(2),
                params.stride(),
                params.top(),
                params.left(),
                params.groups());
    }

    /**
     * That of rows x [.., c] times filters [k, c], as a convolution of images: of 16x16 pixels if the number of rows allows, such
     * as cuDNN's kernels are made for.
     */
    static Geometry ofRows(Tensor x, int k) {
        int c = x.shape().get(-1);
        int rows = x.shape().size() / c;
        int w = Math.min(SIDE, Integer.lowestOneBit(rows));
        int h = Math.min(SIDE, Integer.lowestOneBit(rows / w));
        return new Geometry(x.dtype(), rows / w / h, h, w, c, k, 1, 1, h, w, 1, 0, 0, 1);
    }

    /** Whether the convolution is the product of the pixels [n·h·w, c] and the filters [k, c]. */
    boolean isProduct() {
        return r == 1 && s == 1 && stride == 1 && p == h && q == w && groups == 1;
    }

    /**
     * Padded on both sides alike: as much as makes y what it is, with rows above and columns before it that nobody wants, from
     * {@link #skippedRows} and {@link #skippedColumns} on.
     */
    Geometry evened(Conv2dParams params) {
        int down = skippedRows(params) * stride + params.top();
        int right = skippedColumns(params) * stride + params.left();
        int lines = (h + 2 * down - r) / stride + 1;
        int columns = (w + 2 * right - s) / stride + 1;
        return new Geometry(dtype, n, h, w, c, k, r, s, lines, columns, stride, down, right, groups);
    }

    /** Rows of y of {@link #evened} above those that are wanted: the least that pad the bottom, too. */
    static int skippedRows(Conv2dParams params) {
        return skipped(params.bottom() - params.top(), params.stride());
    }

    /** Columns likewise. */
    static int skippedColumns(Conv2dParams params) {
        return skipped(params.right() - params.left(), params.stride());
    }

    private static int skipped(int missing, int stride) {
        return missing <= 0 ? 0 : (missing + stride - 1) / stride;
    }

    /** Whether there is a convolution {@link #backwards}. */
    boolean isTurnable() {
        return stride == 1 && groups == 1 && padH < r && padW < s;
    }

    /** The convolution, for a stride of 1, that makes dx [n,h,w,c] of dy [n,p,q,k] with the filters turned round. */
    Geometry backwards() {
        return new Geometry(dtype, n, p, q, k, c, r, s, h, w, 1, r - 1 - padH, s - 1 - padW, groups);
    }

    /** The shape of y. */
    Shape output() {
        return Shape.of(n, p, q, k);
    }

    /** Pixels of all images. */
    int pixels() {
        return n * h * w;
    }

    /** x of a product, [pixels, c]. */
    Matrix image(Tensor x) {
        return Matrix.of(x, c);
    }

    /** w of a product, [k, c]. */
    Matrix filters(Tensor w) {
        return Matrix.of(w, c);
    }

    /** y of a product, [pixels, k]. */
    Matrix result(Tensor y) {
        return Matrix.of(y, k);
    }

    /** One word, for the file of algorithms. */
    String key() {
        return dtype + "-" + n + "x" + h + "x" + w + "x" + c + "-" + k + "x" + r + "x" + s + "-" + p + "x" + q + "-s"
                + stride + "-p" + padH + "x" + padW + "-g" + groups;
    }
}
