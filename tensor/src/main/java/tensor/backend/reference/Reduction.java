package tensor.backend.reference;

import java.util.Arrays;
import tensor.Shape;
import tensor.backend.ReduceOp;

/** Calls that make one number of many, always added in row-major order. */
final class Reduction {
    private Reduction() {}

    /**
     * y[j] = Σ x[i], or max x[i], over all i that agree with j on the axes that stay. y is a stretched array seen from
     * x: summing over an axis is the transpose of broadcasting along it.
     */
    static void reduce(ReduceOp f, double[] x, Shape xs, double[] y, Shape ys) {
        Arrays.fill(y, f == ReduceOp.SUM ? 0 : Double.NEGATIVE_INFINITY);
        long[][] strides = {xs.strides(), ys.stridesIn(xs)};
        Rows.forEach(xs.toArray(), new long[2], strides, (at, step, length) -> {
            for (int i = 0; i < length; i++) {
                int j = at[1] + i * step[1];
                y[j] = f == ReduceOp.SUM ? y[j] + x[at[0] + i] : Math.max(y[j], x[at[0] + i]);
            }
        });
    }

    /** Σ x[i]². */
    static double sumOfSquares(double[] x) {
        double sum = 0;
        for (double value : x) sum += value * value;
        return sum;
    }
}
