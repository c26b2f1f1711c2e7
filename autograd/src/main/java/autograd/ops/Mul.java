package autograd.ops;

import autograd.Op;
import autograd.Pullback;
import autograd.Tape;
import autograd.Variable;
import tensor.Tensor;

/**
 * {@code y = a · b}; da = dy · b, db = dy · a, broadcast: axes are aligned at the end and an extent of 1 stretches. Keeps: a, b.
 */
public record Mul() implements Op {
    public static Variable mul(Variable a, Variable b) {
        return Tape.record(new Mul(), a, b);
    }

    @Override
    public Result apply(Tensor... in) {
        Tensor a = in[0];
        Tensor b = in[1];
        Tensor y = a.mul(b);
        return new Result(y, Pullback.perInput(dy -> dy.mul(b), dy -> dy.mul(a)));
    }
}
