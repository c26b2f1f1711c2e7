package autograd.ops;

import autograd.Op;
import autograd.Pullback;
import autograd.Tape;
import autograd.Variable;
import tensor.DType;
import tensor.Tensor;

/**
 * {@code y = x}, rounded to another type; dx = dy, in the type of x: rounding is treated as the identity. Keeps: nothing.
 */
public record Cast(DType type) implements Op {
    /** x itself when it has the type already. */
    public static Variable cast(Variable x, DType type) {
        return x.value().dtype() == type ? x : Tape.record(new Cast(type), x);
    }

    /** x in the type of {@code other}. */
    public static Variable like(Variable x, Variable other) {
        return cast(x, other.value().dtype());
    }

    @Override
    public Result apply(Tensor... in) {
        Tensor x = in[0];
        return new Result(x.cast(type), Pullback.perInput(dy -> dy.cast(x.dtype())));
    }
}
