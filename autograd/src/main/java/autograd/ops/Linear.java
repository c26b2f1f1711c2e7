package autograd.ops;

import autograd.Op;
import autograd.Tape;
import autograd.Variable;
import java.util.Arrays;
import tensor.Shape;
import tensor.Tensor;
import tensor.backend.Backend;
import tensor.backend.Projection;

/**
 * {@code y = x wᵀ + b} along the last axis.
 *
 * <pre>dx = dy · w      dw = dyᵀ · x      db = Σ dy over all leading axes</pre>
 *
 * Shapes: x [.., in], w [out, in], b [out] or absent → y [.., out]. Keeps: x, w.
 */
public record Linear() implements Op {
    /** With bias, or without when b is {@code null}. */
    public static Variable linear(Variable x, Variable w, Variable b) {
        return b == null ? Tape.record(new Linear(), x, w) : Tape.record(new Linear(), x, w, b);
    }

    @Override
    public Result apply(Tensor... in) {
        Tensor w = in[1];
        int out = w.shape().get(0);
        int width = w.shape().expect(-1, -1).get(1);
        Tensor x = in[0].reshape(-1, width); // [M, in]
        Tensor y = x.empty(Shape.of(x.shape().get(0), out));
        x.backend().matmul(false, true, x, w, in.length > 2 ? in[2] : null, y);
        return new Result(y.reshape(in[0].shape().with(-1, out)), (dy, needed) -> {
            Tensor rows = dy.reshape(-1, out); // [M, out]
            Tensor dx = needed[0] ? x.emptyLike() : null;
            Tensor dw = needed[1] ? w.emptyLike() : null;
            Tensor db = in.length > 2 && needed[2] ? in[2].emptyLike() : null;
            Backend backend = x.backend();
            // a device computes dw, which is wanted last, beside what follows
            if (dw != null) Projection.weights(backend, x, rows, dw, db);
            else if (db != null) db = rows; // the tape sums it to [out]
            if (dx != null) backend.matmul(false, false, rows, w, null, dx);
            return Arrays.copyOf(new Tensor[] {dx == null ? null : dx.reshape(in[0].shape()), dw, db}, in.length);
        });
    }
}
