package autograd.ops;

import autograd.Op;
import autograd.Tape;
import autograd.Variable;
import java.util.ArrayList;
import java.util.List;
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
        y.backend().copy(Split.regions(in), Split.parts(axis, y, in));
        return new Result(y, (dy, needed) -> {
            Tensor[] d = new Tensor[in.length];
            Region[] parts = Split.parts(axis, dy, in);
            List<Region> from = new ArrayList<>();
            List<Region> to = new ArrayList<>();
            for (int k = 0; k < d.length; k++) {
                if (!needed[k]) continue;
                d[k] = in[k].emptyLike();
                from.add(parts[k]);
                to.add(Region.of(d[k]));
            }
            dy.backend().copy(from.toArray(Region[]::new), to.toArray(Region[]::new));
            return d;
        });
    }
}
