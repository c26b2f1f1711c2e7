package autograd.ops;

import autograd.Op;
import autograd.Tape;
import autograd.Variable;
import tensor.Shape;
import tensor.Tensor;

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
            Tensor[] d = new Tensor[in.length];
            if (needed[1]) { // first: a device computes it beside what follows
                d[1] = w.emptyLike();
                x.backend().matmul(true, false, rows, x, null, d[1]);
            }
            if (needed[0]) {
                Tensor dx = x.emptyLike();
                x.backend().matmul(false, false, rows, w, null, dx);
                d[0] = dx.reshape(in[0].shape());
            }
            if (in.length > 2 && needed[2]) d[2] = rows; // the tape sums it to [out]
            return d;
        });
    }
}
