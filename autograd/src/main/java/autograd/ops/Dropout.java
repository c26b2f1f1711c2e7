package autograd.ops;

import autograd.Op;
import autograd.Pullback;
import autograd.Tape;
import autograd.Variable;
import tensor.Tensor;
import tensor.backend.Mask;

/** {@code y = x · mask} (Srivastava et al. 2014); dx = dy · mask. Keeps: where the mask is drawn. */
public record Dropout(Mask mask) implements Op {
    public static Variable dropout(Variable x, Mask mask) {
        return Tape.record(new Dropout(mask), x);
    }

    @Override
    public Result apply(Tensor... in) {
        return new Result(dropped(in[0]), Pullback.perInput(this::dropped));
    }

    private Tensor dropped(Tensor x) {
        Tensor y = x.emptyLike();
        x.backend().dropout(mask, x, y);
        return y;
    }
}
