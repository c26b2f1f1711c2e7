package autograd.ops;

import autograd.Op;
import autograd.Pullback;
import autograd.Tape;
import autograd.Variable;
import tensor.Tensor;

/** {@code y = x + offset}; dx = dy. Keeps: nothing. */
public record Shift(double offset) implements Op {
    public static Variable shift(Variable x, double offset) {
        return Tape.record(new Shift(offset), x);
    }

    @Override
    public Result apply(Tensor... in) {
        return new Result(in[0].add(offset), Pullback.perInput(dy -> dy));
    }
}
