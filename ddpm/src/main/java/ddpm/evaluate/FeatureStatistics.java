package ddpm.evaluate;

import java.util.Arrays;

/**
 * Mean and covariance of features, and the Fréchet distance between two such Gaussians (Dowson and Landau 1982; as a measure
 * of pictures, Heusel et al. 2017):
 *
 * <pre>d² = ‖μ₁ − μ₂‖² + tr Σ₁ + tr Σ₂ − 2 tr (Σ₁ Σ₂)^½</pre>
 *
 * The last trace is Σ √λ over the eigenvalues of Lᵀ Σ₂ L, where L Lᵀ = Σ₁: those of Σ₁ Σ₂, from a symmetric matrix.
 *
 * @param mean [d]
 * @param covariance [d,d], divided by n − 1
 */
public record FeatureStatistics(double[] mean, double[][] covariance) {
    /** Of rows of features, at least 2. */
    public static FeatureStatistics of(double[][] rows) {
        int n = rows.length;
        int d = rows[0].length;
        double[] mean = new double[d];
        for (double[] row : rows) for (int i = 0; i < d; i++) mean[i] += row[i] / n;
        double[][] covariance = new double[d][d];
        double[] centred = new double[d];
        for (double[] row : rows) {
            for (int i = 0; i < d; i++) centred[i] = row[i] - mean[i];
            for (int i = 0; i < d; i++) {
                double[] line = covariance[i];
                double c = centred[i] / (n - 1);
                for (int j = 0; j <= i; j++) line[j] += c * centred[j];
            }
        }
        for (int i = 0; i < d; i++) for (int j = 0; j < i; j++) covariance[j][i] = covariance[i][j];
        return new FeatureStatistics(mean, covariance);
    }

    /** d² to another Gaussian: 0 exactly when they are the same. */
    public double frechetDistance(FeatureStatistics other) {
        int d = mean.length;
        double sum = 0;
        for (int i = 0; i < d; i++) {
            double step = mean[i] - other.mean[i];
            sum += step * step + covariance[i][i] + other.covariance[i][i];
        }
        for (double lambda : SymmetricEigenvalues.of(sandwich(root(covariance), other.covariance)))
            sum -= 2 * Math.sqrt(Math.max(0, lambda));
        return sum;
    }

    /** L with L Lᵀ = a, lower triangular (Cholesky); a direction without variance gets a column of zeros. */
    private static double[][] root(double[][] a) {
        int n = a.length;
        double largest = 0;
        for (int i = 0; i < n; i++) largest = Math.max(largest, a[i][i]);
        double[][] l = new double[n][n];
        for (int j = 0; j < n; j++) {
            double pivot = a[j][j];
            for (int k = 0; k < j; k++) pivot -= l[j][k] * l[j][k];
            if (pivot <= 1e-13 * largest) continue;
            l[j][j] = Math.sqrt(pivot);
            for (int i = j + 1; i < n; i++) {
                double sum = a[i][j];
                for (int k = 0; k < j; k++) sum -= l[i][k] * l[j][k];
                l[i][j] = sum / l[j][j];
            }
        }
        return l;
    }

    /** Lᵀ S L. */
    private static double[][] sandwich(double[][] l, double[][] s) {
        int n = l.length;
        double[][] sl = product(s, l);
        double[][] transposed = new double[n][n];
        for (int i = 0; i < n; i++) for (int j = 0; j < n; j++) transposed[i][j] = l[j][i];
        return product(transposed, sl);
    }

    private static double[][] product(double[][] a, double[][] b) {
        int n = a.length;
        double[][] y = new double[n][n];
        for (int i = 0; i < n; i++)
            for (int k = 0; k < n; k++) {
                double factor = a[i][k];
                if (factor == 0) continue;
                for (int j = 0; j < n; j++) y[i][j] += factor * b[k][j];
            }
        return y;
    }

    @Override
    public boolean equals(Object other) {
        return other instanceof FeatureStatistics f
                && Arrays.equals(mean, f.mean)
                && Arrays.deepEquals(covariance, f.covariance);
    }

    @Override
    public int hashCode() {
        return Arrays.hashCode(mean);
    }
}
