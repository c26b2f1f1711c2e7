package autograd.ops;

import autograd.Op;
import autograd.Pullback;
import autograd.Tape;
import autograd.Variable;
import tensor.Rng;
import tensor.Tensor;
import tensor.backend.Distribution;

/**
 * {@code y = x · m}, m being 1/(1 − probability) with probability 1 − {@code probability} and else 0 (Srivastava et al.
 * 2014, scaled while training); dx = dy · m. Keeps: m.
 */
public record Dropout(double probability, Rng rng) implements Op {
    public static Variable dropout(Variable x, double probability, Rng rng) {
        return Tape.record(new Dropout(probability, rng), x);
    }

    @Override
    public Result apply(Tensor... in) {
        Tensor x = in[0];
        Tensor mask = rng.draw(Distribution.keep(1 - probability), x.backend(), x.dtype(), x.shape());
        return new Result(x.mul(mask), Pullback.perInput(dy -> dy.mul(mask)));
    }
}
