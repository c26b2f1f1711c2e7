package autograd.ops;

import autograd.Op;
import autograd.Pullback;
import autograd.Tape;
import autograd.Variable;
import java.util.Arrays;
import java.util.List;
import tensor.Shape;
import tensor.Tensor;
import tensor.backend.Region;

/** Axes in another order: axis k of y is axis order[k] of x. dx is dy permuted back. Keeps: nothing. */
public record Permute(List<Integer> order) implements Op {
    public static Variable permute(Variable x, int... order) {
        return Tape.record(new Permute(Arrays.stream(order).boxed().toList()), x);
    }

    @Override
    public Result apply(Tensor... in) {
        int[] forth = order.stream().mapToInt(Integer::intValue).toArray();
        int[] back = new int[forth.length];
        for (int k = 0; k < forth.length; k++) back[forth[k]] = k;
        return new Result(permuted(in[0], forth), Pullback.perInput(dy -> permuted(dy, back)));
    }

    private static Tensor permuted(Tensor x, int[] order) {
        Region from = Region.of(x).permute(order);
        Tensor y = x.empty(Shape.of(from.sizes()));
        x.backend().copy(from, Region.of(y));
        return y;
    }
}
