package autograd.ops;

import autograd.Op;
import autograd.Pullback;
import autograd.Tape;
import autograd.Variable;
import tensor.Rng;
import tensor.Tensor;

/**
 * {@code y = x · m}, m being 1/(1 − probability) with probability 1 − {@code probability} and else 0 (Srivastava et al.
 * 2014, scaled while training); dx = dy · m. Keeps: the place of m in the random stream.
 */
public record Dropout(double probability, Rng rng) implements Op {
    public static Variable dropout(Variable x, double probability, Rng rng) {
        return Tape.record(new Dropout(probability, rng), x);
    }

    @Override
    public Result apply(Tensor... in) {
        Tensor x = in[0];
        long offset = rng.skip(x.shape().size());
        return new Result(dropped(x, offset), Pullback.perInput(dy -> dropped(dy, offset)));
    }

    private Tensor dropped(Tensor x, long offset) {
        Tensor y = x.emptyLike();
        x.backend().dropout(1 - probability, rng.seed(), offset, x, y);
        return y;
    }
}
