package autograd.ops;

import autograd.Op;
import autograd.Pullback;
import autograd.Tape;
import autograd.Variable;
import tensor.Tensor;
import tensor.backend.UnaryOp;

/**
 * {@code y = a / b}; da = dy / b, db = −dy · y / b, broadcast: axes are aligned at the end and an extent of 1 stretches. Keeps: b, y.
 */
public record Div() implements Op {
    public static Variable div(Variable a, Variable b) {
        return Tape.record(new Div(), a, b);
    }

    @Override
    public Result apply(Tensor... in) {
        Tensor a = in[0];
        Tensor b = in[1];
        Tensor y = a.div(b);
        return new Result(
                y, Pullback.perInput(dy -> dy.div(b), dy -> dy.mul(y).div(b).map(UnaryOp.NEG)));
    }
}
