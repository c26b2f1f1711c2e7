package autograd.ops;

import autograd.Op;
import autograd.Tape;
import autograd.Variable;
import tensor.Tensor;

/**
 * Rows of a table: {@code y[i] = table[index[i]]}; dtable sums the dy of equal indices. Shapes: table [V,…], index [N] of
 * whole numbers in 0 … V−1 → y [N,…]. The index gets no gradient. Keeps: index.
 */
public record Gather() implements Op {
    public static Variable gather(Variable table, Variable index) {
        return Tape.record(new Gather(), table, index);
    }

    @Override
    public Result apply(Tensor... in) {
        Tensor table = in[0];
        Tensor index = in[1];
        Tensor y = table.empty(table.shape().with(0, index.shape().get(0)));
        y.backend().gather(table, index, y);
        return new Result(y, (dy, needed) -> {
            Tensor dtable = table.emptyLike();
            dtable.backend().scatterAdd(index, dy, dtable);
            return new Tensor[] {dtable, null};
        });
    }
}
