package autograd.ops;

import autograd.Op;
import autograd.Pullback;
import autograd.Tape;
import autograd.Variable;
import tensor.Tensor;

/** {@code y = factor · x}; dx = factor · dy. Keeps: nothing. */
public record Scale(double factor) implements Op {
    public static Variable scale(Variable x, double factor) {
        return Tape.record(new Scale(factor), x);
    }

    @Override
    public Result apply(Tensor... in) {
        return new Result(in[0].mul(factor), Pullback.perInput(dy -> dy.mul(factor)));
    }
}
