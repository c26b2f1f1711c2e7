package ddpm.evaluate;

import java.util.Arrays;
import java.util.Random;
import java.util.stream.IntStream;

/**
 * KID (Bińkowski et al. 2018): the squared maximum mean discrepancy of two sets of features under k(x, y) = (xᵀy/d + 1)³,
 * without bias, so that it is right at any number of samples and can come out below 0:
 *
 * <pre>mean k(x, x′) over x ≠ x′ + mean k(y, y′) over y ≠ y′ − 2 mean k(x, y)</pre>
 *
 * The mean and the spread over several random subsets.
 *
 * @param mean over the subsets
 * @param deviation their standard deviation
 */
public record KernelDistance(double mean, double deviation) {
    private static final int SUBSETS = 10;
    private static final int SIZE = 500;

    /** Between two sets of at least 2 rows each. */
    public static KernelDistance between(double[][] a, double[][] b, long seed) {
        Random random = new Random(seed);
        int size = Math.min(SIZE, Math.min(a.length, b.length));
        double[][][] xs = new double[SUBSETS][][];
        double[][][] ys = new double[SUBSETS][][];
        for (int i = 0; i < SUBSETS; i++) {
            xs[i] = subset(a, size, random);
            ys[i] = subset(b, size, random);
        }
        double[] distances = IntStream.range(0, SUBSETS)
                .parallel()
                .mapToDouble(i -> unbiased(xs[i], ys[i]))
                .toArray();
        double sum = 0;
        double square = 0;
        for (double d : distances) {
            sum += d / SUBSETS;
            square += d * d / SUBSETS;
        }
        return new KernelDistance(sum, Math.sqrt(Math.max(0, square - sum * sum)));
    }

    private static double[][] subset(double[][] rows, int size, Random random) {
        double[][] chosen = rows.clone();
        for (int i = 0; i < size; i++) {
            int j = i + random.nextInt(rows.length - i);
            double[] row = chosen[j];
            chosen[j] = chosen[i];
            chosen[i] = row;
        }
        return Arrays.copyOf(chosen, size);
    }

    /** The discrepancy of two sets of equal size. */
    static double unbiased(double[][] x, double[][] y) {
        int n = x.length;
        double within = 0;
        double across = 0;
        for (int i = 0; i < n; i++)
            for (int j = 0; j < n; j++) {
                if (i < j) within += 2 * (kernel(x[i], x[j]) + kernel(y[i], y[j]));
                across += kernel(x[i], y[j]);
            }
        return within / ((double) n * (n - 1)) - 2 * across / ((double) n * n);
    }

    private static double kernel(double[] x, double[] y) {
        double dot = 0;
        for (int i = 0; i < x.length; i++) dot += x[i] * y[i];
        double base = dot / x.length + 1;
        return base * base * base;
    }
}
