package autograd.ops;

import autograd.Op;
import autograd.Pullback;
import autograd.Tape;
import autograd.Variable;
import tensor.Shape;
import tensor.Tensor;

/** The same elements with another shape, no copy; dx is dy with the old shape. Keeps: nothing. */
public record Reshape(Shape target) implements Op {
    /** One extent may be −1 and is worked out. */
    public static Variable reshape(Variable x, int... extents) {
        return Tape.record(new Reshape(x.shape().resolve(extents)), x);
    }

    @Override
    public Result apply(Tensor... in) {
        Shape before = in[0].shape();
        return new Result(in[0].reshape(target), Pullback.perInput(dy -> dy.reshape(before)));
    }
}
