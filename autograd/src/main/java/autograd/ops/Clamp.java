package autograd.ops;

import autograd.Op;
import autograd.Pullback;
import autograd.Tape;
import autograd.Variable;
import tensor.Tensor;
import tensor.backend.BinaryOp;

/** {@code y = min(max(x, low), high)}; dx = dy where low ≤ x ≤ high, else 0. Keeps: x. */
public record Clamp(double low, double high) implements Op {
    public Clamp {
        if (!(low <= high)) throw new IllegalArgumentException("clamp needs low <= high, not " + low + ", " + high);
    }

    public static Variable clamp(Variable x, double low, double high) {
        return Tape.record(new Clamp(low, high), x);
    }

    @Override
    public Result apply(Tensor... in) {
        Tensor x = in[0];
        return new Result(x.clamp(low, high), Pullback.perInput(dy -> {
            Tensor above = x.map(BinaryOp.GREATER_EQUAL, x.scalar(low));
            Tensor below = x.scalar(high).map(BinaryOp.GREATER_EQUAL, x);
            return dy.mul(above).mul(below);
        }));
    }
}
