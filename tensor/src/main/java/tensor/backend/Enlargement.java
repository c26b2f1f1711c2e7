package tensor.backend;

import tensor.Shape;
import tensor.Tensor;

/**
 * Nearest-neighbour enlargement: every pixel of an image becomes a square of pixels. As shapes, the squares of the large image
 * are [N,H,f,W,f,C], the pixels of the small one [N,H,1,W,1,C].
 */
public final class Enlargement {
    private Enlargement() {}

    /** The shape of an image of this shape, enlarged. */
    public static Shape shape(Shape x, int factor) {
        return x.with(1, x.get(1) * factor).with(2, x.get(2) * factor);
    }

    /** A new tensor [N,f·H,f·W,C] of x [N,H,W,C]. */
    public static Tensor forward(Backend on, Tensor x, int factor) {
        Shape s = x.shape().expect(-1, -1, -1, -1);
        Tensor y = x.empty(shape(s, factor));
        on.copy(Region.of(x, pixels(s)).repeat(2, factor).repeat(4, factor), Region.of(y, squares(s, factor)));
        return y;
    }

    /** dx [N,H,W,C] ← the sums of dy [N,f·H,f·W,C] over the squares. */
    public static void backward(Backend on, Tensor dy, Tensor dx) {
        Shape s = dx.shape();
        int factor = dy.shape().get(1) / s.get(1);
        on.reduce(ReduceOp.SUM, dy.reshape(squares(s, factor)), dx.reshape(pixels(s)));
    }

    private static Shape pixels(Shape s) {
        return squares(s, 1);
    }

    private static Shape squares(Shape s, int factor) {
        return Shape.of(s.get(0), s.get(1), factor, s.get(2), factor, s.get(3));
    }
}
