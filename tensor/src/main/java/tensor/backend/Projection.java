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
        Shape s = w.shape();
        on.matmul(false, false, dqkv, w, null, dx);
        on.conv2dBackwardWeights(
                Conv2dParams.of(1, 0), image(x), image(dqkv), dw.reshape(s.get(0), 1, 1, s.get(1)), null);
    }

    /** Positions [N, L, C] as the pixels [N, 1, L, C] of images. */
    private static Tensor image(Tensor x) {
        return x.reshape(x.shape().get(0), 1, x.shape().get(1), x.shape().get(2));
    }
}
