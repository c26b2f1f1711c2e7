package autograd.ops;

import autograd.Op;
import autograd.Pullback;
import autograd.Tape;
import autograd.Variable;
import tensor.Tensor;
import tensor.backend.Region;

/** {@code length} indices of one axis from {@code start}; dx is dy there and 0 elsewhere. Keeps: nothing. */
public record Slice(int axis, int start, int length) implements Op {
    public static Variable slice(Variable x, int axis, int start, int length) {
        return Tape.record(new Slice(axis, start, length), x);
    }

    @Override
    public Result apply(Tensor... in) {
        Tensor x = in[0];
        Tensor y = x.empty(x.shape().with(axis, length));
        x.backend().copy(Region.of(x).slice(axis, start, length), Region.of(y));
        return new Result(y, Pullback.perInput(dy -> {
            Tensor dx = x.fullLike(0);
            dx.backend().copy(Region.of(dy), Region.of(dx).slice(axis, start, length));
            return dx;
        }));
    }
}
