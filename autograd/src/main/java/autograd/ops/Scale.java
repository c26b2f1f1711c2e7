package autograd.ops;

import autograd.Op;
import autograd.Pullback;
import autograd.Tape;
import autograd.Variable;
import tensor.Tensor;

/** {@code y = factor · x}; dx = factor · dy. Keeps: nothing. */
public record Scale(double factor) implements Op {
    /** x itself when the factor is 1. */
    public static Variable scale(Variable x, double factor) {
        return factor == 1 ? x : Tape.record(new Scale(factor), x);
    }

    @Override
    public Result apply(Tensor... in) {
        return new Result(in[0].mul(factor), Pullback.perInput(dy -> dy.mul(factor)));
    }
}
