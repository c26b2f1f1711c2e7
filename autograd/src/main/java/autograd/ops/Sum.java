package autograd.ops;

import autograd.Op;
import autograd.Pullback;
import autograd.Tape;
import autograd.Variable;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;
import tensor.Shape;
import tensor.Tensor;
import tensor.backend.ReduceOp;
import tensor.backend.Region;

/**
 * The sum over some axes, which vanish; dx repeats dy along them. Keeps: nothing.
 */
public record Sum(List<Integer> axes) implements Op {
    /** Over the given axes; over all of them when none is given. Negative axes count from the end. */
    public static Variable sum(Variable x, int... axes) {
        return Tape.record(new Sum(axes(x, axes)), x);
    }

    static List<Integer> axes(Variable x, int... axes) {
        int rank = x.shape().rank();
        return axes.length == 0
                ? IntStream.range(0, rank).boxed().toList()
                : Arrays.stream(axes).map(a -> a < 0 ? rank + a : a).boxed().toList();
    }

    @Override
    public Result apply(Tensor... in) {
        Tensor x = in[0];
        Shape kept = x.shape();
        for (int axis : axes) kept = kept.with(axis, 1);
        Shape summed = kept;
        int[] rest = IntStream.range(0, summed.rank())
                .filter(a -> !axes.contains(a))
                .map(summed::get)
                .toArray();
        return new Result(x.reduce(ReduceOp.SUM, summed).reshape(Shape.of(rest)), Pullback.perInput(dy -> {
            Tensor dx = x.emptyLike();
            Region wide = Region.of(dy, summed);
            for (int axis : axes) wide = wide.repeat(axis, x.shape().get(axis));
            dx.backend().copy(wide, Region.of(dx));
            return dx;
        }));
    }
}
