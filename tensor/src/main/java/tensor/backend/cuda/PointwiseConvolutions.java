package tensor.backend.cuda;

import java.util.List;
import tensor.Tensor;
import tensor.memory.Buffer;

/**
 * Convolutions with filters of 1x1: products by cuBLAS of the pixels [N·H·W, C] and the filters [K, C].
 *
 * <pre>y = x wᵀ      dx = dy w      dw = dyᵀ x</pre>
 *
 * Where x is two tensors side by side that have not been joined ({@link Joins}), so are w and dw, and y = x₁ w₁ᵀ + x₂ w₂ᵀ; in
 * bf16 y is rounded once more then, after the first product.
 */
final class PointwiseConvolutions {
    private final Products products;

    PointwiseConvolutions(Products products) {
        this.products = products;
    }

    /** One of the two parts of x, or all of it: its pixels, their width, and where its columns of the filters begin. */
    private record Part(Matrix pixels, int width, int start) {
        static List<Part> of(Geometry g, Tensor x) {
            Joins.Joint joint = Joins.of(x);
            if (joint == null) return List.of(new Part(g.image(x), g.c(), 0));
            int split = joint.split();
            int rest = g.c() - split;
            return List.of(
                    new Part(Matrix.of(joint.first(), split), split, 0),
                    new Part(Matrix.of(joint.second(), rest), rest, split));
        }
    }

    /** The blocks that {@link #weights}, like any such call, reads. */
    static List<Buffer> reads(Tensor x, Tensor dy) {
        Joins.Joint joint = Joins.of(x);
        return joint == null
                ? List.of(x.buffer(), dy.buffer())
                : List.of(joint.first().buffer(), joint.second().buffer(), dy.buffer());
    }

    void forward(Geometry g, Tensor x, Tensor w, Tensor y) {
        Matrix filters = g.filters(w);
        Matrix result = g.result(y);
        for (Part part : Part.of(g, x)) {
            Matrix own = filters.at(part.start);
            if (part.start == 0)
                products.multiply(false, true, g.pixels(), g.k(), part.width, part.pixels, own, result, 1);
            else products.add(false, true, g.pixels(), g.k(), part.width, part.pixels, own, result);
        }
    }

    void data(Geometry g, Tensor w, Tensor dy, Tensor dx) {
        products.multiply(false, false, g.pixels(), g.c(), g.k(), g.result(dy), g.filters(w), g.image(dx), 1);
    }

    void weights(Geometry g, Tensor x, Tensor dy, Tensor dw) {
        Matrix filters = g.filters(dw);
        for (Part part : Part.of(g, x))
            products.multiply(
                    true, false, g.k(), part.width, g.pixels(), g.result(dy), part.pixels, filters.at(part.start), 1);
    }
}
