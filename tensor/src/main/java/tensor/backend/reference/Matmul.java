package tensor.backend.reference;

import java.util.Arrays;
import java.util.stream.IntStream;
import tensor.Shape;

/**
 * Matrix product, batched:
 *
 * <pre>y[i, m, n] = bias[n] + Σ_k a[i, m, k] · b[i, k, n]</pre>
 *
 * Rows of y are made in parallel, each by one thread and summed in the order of k, so the result does not depend on how
 * many threads there are.
 */
final class Matmul {
    private Matmul() {}

    /** Extents and layout: M, N, K of one product; {@code ta}, {@code tb} say that a factor is stored transposed. */
    static void matmul(
            boolean ta, boolean tb, double[] a, Shape as, double[] b, Shape bs, double[] bias, double[] y, Shape ys) {
        int M = ys.get(-2);
        int N = ys.get(-1);
        int K = as.get(ta ? -2 : -1);
        int batch = ys.size() / (M * N);
        int aStep = as.rank() > 2 ? M * K : 0; // a factor of rank 2 serves every batch
        int bStep = bs.rank() > 2 ? K * N : 0;
        double[] rows = tb ? transposed(b, N, K) : b; // [.., K, N]
        IntStream.range(0, batch * M).parallel().forEach(task -> {
            int i = task / M;
            int m = task % M;
            int row = task * N;
            if (bias == null) Arrays.fill(y, row, row + N, 0);
            else System.arraycopy(bias, 0, y, row, N);
            for (int k = 0; k < K; k++) {
                double factor = a[i * aStep + (ta ? k * M + m : m * K + k)];
                int from = i * bStep + k * N;
                for (int n = 0; n < N; n++) y[row + n] += factor * rows[from + n];
            }
        });
    }

    /** Every [rows, columns] matrix of x turned into [columns, rows]. */
    private static double[] transposed(double[] x, int rows, int columns) {
        double[] y = new double[x.length];
        for (int base = 0; base < x.length; base += rows * columns)
            for (int r = 0; r < rows; r++)
                for (int c = 0; c < columns; c++) y[base + c * rows + r] = x[base + r * columns + c];
        return y;
    }
}
