package autograd.ops;

import autograd.Op;
import autograd.Pullback;
import autograd.Tape;
import autograd.Variable;
import tensor.Tensor;

/** {@code y = exp(x) / Σ exp(x)} along one axis; dx = y · (dy − Σ y·dy). Keeps: y. */
public record Softmax(int axis) implements Op {
    /** Negative axes count from the end. */
    public static Variable softmax(Variable x, int axis) {
        return Tape.record(new Softmax(axis < 0 ? x.shape().rank() + axis : axis), x);
    }

    @Override
    public Result apply(Tensor... in) {
        Tensor y = in[0].emptyLike();
        y.backend().softmax(axis, in[0], y);
        return new Result(y, Pullback.perInput(dy -> {
            Tensor dx = y.emptyLike();
            y.backend().softmaxBackward(axis, y, dy, dx);
            return dx;
        }));
    }
}
