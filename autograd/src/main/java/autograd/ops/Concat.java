package autograd.ops;

import autograd.Op;
import autograd.Tape;
import autograd.Variable;
import tensor.Tensor;
import tensor.backend.Region;

/** Tensors one after the other along an axis; each dx is its slice of dy. Keeps: nothing. */
public record Concat(int axis) implements Op {
    public static Variable concat(int axis, Variable... x) {
        return Tape.record(new Concat(axis), x);
    }

    @Override
    public Result apply(Tensor... in) {
        int joint = 0;
        for (Tensor x : in) joint += x.shape().get(axis);
        Tensor y = in[0].empty(in[0].shape().with(axis, joint));
        int start = 0;
        for (Tensor x : in) {
            y.backend()
                    .copy(
                            Region.of(x),
                            Region.of(y).slice(axis, start, x.shape().get(axis)));
            start += x.shape().get(axis);
        }
        return new Result(y, (dy, needed) -> {
            Tensor[] d = new Tensor[in.length];
            int from = 0;
            for (int k = 0; k < in.length; k++) {
                int length = in[k].shape().get(axis);
                if (needed[k]) {
                    d[k] = in[k].emptyLike();
                    dy.backend().copy(Region.of(dy).slice(axis, from, length), Region.of(d[k]));
                }
                from += length;
            }
            return d;
        });
    }
}
