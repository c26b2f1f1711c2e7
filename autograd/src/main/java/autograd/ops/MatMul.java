package autograd.ops;

import autograd.Op;
import autograd.Tape;
import autograd.Variable;
import tensor.Shape;
import tensor.Tensor;

/**
 * {@code y = op(a) · op(b)}, batched over the leading axes; op transposes the last two when asked.
 *
 * <pre>da = dy · op(b)ᵀ      db = op(a)ᵀ · dy      each transposed back when its factor was</pre>
 *
 * Shapes: a [.., M, K], b [.., K, N] → y [.., M, N]; a factor of rank 2 serves every batch. Keeps: a, b.
 */
public record MatMul(boolean transposeA, boolean transposeB) implements Op {
    /** a · b. */
    public static Variable matmul(Variable a, Variable b) {
        return matmul(false, false, a, b);
    }

    public static Variable matmul(boolean transposeA, boolean transposeB, Variable a, Variable b) {
        return Tape.record(new MatMul(transposeA, transposeB), a, b);
    }

    @Override
    public Result apply(Tensor... in) {
        Tensor a = in[0];
        Tensor b = in[1];
        return new Result(product(transposeA, transposeB, a, b), (dy, needed) -> {
            Tensor[] d = new Tensor[2];
            if (needed[0]) d[0] = transposeA ? product(transposeB, true, b, dy) : product(false, !transposeB, dy, b);
            if (needed[1]) d[1] = transposeB ? product(true, transposeA, dy, a) : product(!transposeA, false, a, dy);
            return d; // the tape sums a shared factor over the batches
        });
    }

    private static Tensor product(boolean ta, boolean tb, Tensor a, Tensor b) {
        Shape longer = a.shape().rank() >= b.shape().rank() ? a.shape() : b.shape();
        Tensor y = a.empty(
                longer.with(-2, a.shape().get(ta ? -1 : -2)).with(-1, b.shape().get(tb ? -2 : -1)));
        a.backend().matmul(ta, tb, a, b, null, y);
        return y;
    }
}
