package autograd.ops;

import autograd.Op;
import autograd.Tape;
import autograd.Variable;
import java.util.Arrays;
import tensor.Tensor;
import tensor.backend.Backend;
import tensor.backend.Conv2dParams;

/**
 * 2-D convolution, by the field's name; strictly a cross-correlation (w is not flipped).
 *
 * <pre>y[n,p,q,k] = b[k] + z[n,p,q,k] + Σ_{r,s,c} w[k,r,s,c] · x[n, p·stride + r − top, q·stride + s − left, c]
 *   dx = dy convolved with w flipped
 *   dw[k,r,s,c] = Σ_{n,p,q} dy[n,p,q,k] · x[n, p·stride + r − top, q·stride + s − left, c]
 *   db[k] = Σ_{n,p,q} dy[n,p,q,k]      dz = dy</pre>
 *
 * With {@code enlarge} 2 every pixel of x stands there 2x2 times, and its dx is the sum over these.
 *
 * <p>Shapes: x [N,H,W,C], w [K,R,S,C/groups], b [K] or absent, z [N,P,Q,K] or absent: what the convolution goes around in a
 * residual block → y [N,P,Q,K]. Keeps: x, w.
 */
public record Conv2d(Conv2dParams params) implements Op {
    /** y = x ∗ w. */
    public static Variable conv2d(Conv2dParams params, Variable x, Variable w) {
        return Tape.record(new Conv2d(params), x, w);
    }

    /** y = x ∗ w + b. */
    public static Variable conv2d(Conv2dParams params, Variable x, Variable w, Variable b) {
        return Tape.record(new Conv2d(params), x, w, b);
    }

    /** y = x ∗ w + b + z. */
    public static Variable conv2d(Conv2dParams params, Variable x, Variable w, Variable b, Variable z) {
        return Tape.record(new Conv2d(params), x, w, b, z);
    }

    @Override
    public Result apply(Tensor... in) {
        Tensor x = in[0];
        Tensor w = in[1];
        Tensor b = in.length > 2 ? in[2] : null;
        Tensor z = in.length > 3 ? in[3] : null;
        Backend backend = x.backend();
        Tensor y = x.empty(params.outputShape(x.shape(), w.shape()));
        backend.conv2d(params, x, w, b, z, y);
        return new Result(y, (dy, needed) -> {
            Tensor dx = needed[0] ? x.emptyLike() : null;
            Tensor dw = needed[1] ? w.emptyLike() : null;
            Tensor db = b != null && needed[2] ? b.emptyLike() : null;
            // a device computes dw, which is wanted last, beside what follows
            if (dw != null) backend.conv2dBackwardWeights(params, x, dy, dw, db);
            else if (db != null) db = dy; // the tape sums it to [K]
            if (dx != null) backend.conv2dBackwardData(params, w, dy, dx);
            return Arrays.copyOf(new Tensor[] {dx, dw, db, dy}, in.length);
        });
    }
}
