package autograd.ops;

import autograd.Op;
import autograd.Tape;
import autograd.Variable;
import tensor.Tensor;
import tensor.backend.Backend;
import tensor.backend.Conv2dParams;

/**
 * Transposed 2-D convolution: the gradient of {@link Conv2d} with respect to its image, used forwards.
 *
 * <pre>y[n, p·stride + r − top, q·stride + s − left, c] += x[n,p,q,k] · w[k,r,s,c]      plus b[c]
 *   dx = dy ∗ w (the convolution itself)      dw as in Conv2d with the two images exchanged      db = Σ dy</pre>
 *
 * Shapes: x [N,P,Q,K], w [K,R,S,C], b [C] or absent → y [N,H,W,C], H = (P − 1)·stride + R − top − bottom. Keeps: x, w.
 */
public record ConvTranspose2d(Conv2dParams params) implements Op {
    /** With bias, or without when b is {@code null}. */
    public static Variable convTranspose2d(Conv2dParams params, Variable x, Variable w, Variable b) {
        Op op = new ConvTranspose2d(params);
        return b == null ? Tape.record(op, x, w) : Tape.record(op, x, w, b);
    }

    @Override
    public Result apply(Tensor... in) {
        Tensor x = in[0];
        Tensor w = in[1];
        Backend backend = x.backend();
        Tensor y = x.empty(params.transposedShape(x.shape(), w.shape()));
        backend.conv2dBackwardData(params, w, x, y);
        if (in.length > 2) y.add_(in[2]);
        return new Result(y, (dy, needed) -> {
            Tensor[] d = new Tensor[in.length];
            if (needed[0]) {
                d[0] = x.emptyLike();
                backend.conv2d(params, dy, w, null, null, d[0]);
            }
            if (needed[1]) {
                d[1] = w.emptyLike();
                backend.conv2dBackwardWeights(params, dy, x, d[1], null);
            }
            if (in.length > 2) d[2] = dy; // the tape sums it to [C]
            return d;
        });
    }
}
