package tensor.backend.reference;

import java.util.Arrays;
import tensor.backend.Checks;
import tensor.backend.Region;

/** Calls that move elements and compute nothing. */
final class Movement {
    private Movement() {}

    /** to[i₀, i₁, …] = from[i₀, i₁, …], each by its own offset and strides. */
    static void copy(double[] x, Region from, double[] y, Region to) {
        long[] offsets = {from.offset(), to.offset()};
        long[][] strides = {from.strides(), to.strides()};
        Rows.forEach(to.sizes(), offsets, strides, (at, step, length) -> {
            for (int i = 0; i < length; i++) y[at[1] + i * step[1]] = x[at[0] + i * step[0]];
        });
    }

    /** y[i, …] = table[index[i], …]; a row has {@code width} elements. */
    static void gather(double[] table, double[] index, int width, double[] y) {
        for (int i = 0; i < index.length; i++) {
            int row = Checks.row("gather", i, index[i], table.length / width);
            System.arraycopy(table, row * width, y, i * width, width);
        }
    }

    /** dtable[v, …] = Σ over all i with index[i] = v of dy[i, …]: the transpose of {@link #gather}. */
    static void scatterAdd(double[] index, double[] dy, int width, double[] dtable) {
        Arrays.fill(dtable, 0);
        for (int i = 0; i < index.length; i++) {
            int row = Checks.row("scatterAdd", i, index[i], dtable.length / width);
            for (int c = 0; c < width; c++) dtable[row * width + c] += dy[i * width + c];
        }
    }
}
