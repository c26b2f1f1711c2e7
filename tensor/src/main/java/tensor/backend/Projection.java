package tensor.backend;

import tensor.Shape;
import tensor.Tensor;

/**
 * Queries, keys and values as a projection of x, qkv [N, L, 3·heads·d] = x wᵀ with x [N, L, C] and w [3·heads·d, C]: what a
 * backend computes beside its attention when it does not do so within.
 */
public final class Projection {
    private Projection() {}

    /** The shape of qkv. */
    public static Shape shape(Tensor x, Tensor w) {
        return w == null ? x.shape() : x.shape().with(2, w.shape().get(0));
    }

    /** A new tensor qkv. */
    public static Tensor forward(Backend on, Tensor x, Tensor w) {
        Tensor qkv = x.empty(shape(x, w));
        on.matmul(false, true, x, w, null, qkv);
        return qkv;
    }

    /** dx ← dqkv w, dw ← dqkvᵀ x. */
    public static void backward(Backend on, Tensor x, Tensor w, Tensor dqkv, Tensor dx, Tensor dw) {
        on.matmul(false, false, dqkv, w, null, dx);
        weights(on, x, dqkv, dw, null);
    }

    /**
     * dw [K, C] ← dyᵀ x for rows x [.., C] and dy [.., K], and dbias [K] ← the sum of the rows of dy, unless it is {@code null}: the
     * gradients of a convolution of pixels, which a device computes beside what follows.
     */
    public static void weights(Backend on, Tensor x, Tensor dy, Tensor dw, Tensor dbias) {
        Shape s = dw.shape();
        Tensor filters = dw.reshape(s.get(0), 1, 1, s.get(1));
        on.conv2dBackwardWeights(Conv2dParams.of(1, 0), pixels(x), pixels(dy), filters, dbias);
    }

    /** Rows as images of one pixel. */
    private static Tensor pixels(Tensor rows) {
        return rows.reshape(-1, 1, 1, rows.shape().get(-1));
    }
}
