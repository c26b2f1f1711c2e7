package autograd.ops;

import autograd.Op;
import autograd.Pullback;
import autograd.Tape;
import autograd.Variable;
import tensor.Tensor;
import tensor.backend.UnaryOp;

/**
 * {@code y = a − b}; da = dy, db = −dy, broadcast: axes are aligned at the end and an extent of 1 stretches. Keeps: nothing.
 */
public record Sub() implements Op {
    public static Variable sub(Variable a, Variable b) {
        return Tape.record(new Sub(), a, b);
    }

    /** a − b for a loss: of one shape, since a mean over whatever broadcasts would pass unnoticed. */
    static Variable ofOneShape(Variable a, Variable b) {
        a.shape().expect(b.shape().toArray());
        return sub(a, b);
    }

    @Override
    public Result apply(Tensor... in) {
        Tensor a = in[0];
        Tensor b = in[1];
        Tensor y = a.sub(b);
        return new Result(y, Pullback.perInput(dy -> dy, dy -> dy.map(UnaryOp.NEG)));
    }
}
