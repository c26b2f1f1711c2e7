package ddpm.evaluate;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.Arrays;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class SymmetricEigenvaluesTest {
    /** 2 on the diagonal, −1 beside it: λ_k = 2 − 2 cos(kπ/(n+1)). */
    @ParameterizedTest
    @ValueSource(ints = {1, 2, 3, 10, 101})
    void secondDifference(int n) {
        double[][] a = new double[n][n];
        double[] expected = new double[n];
        for (int i = 0; i < n; i++) {
            a[i][i] = 2;
            if (i > 0) a[i][i - 1] = a[i - 1][i] = -1;
            expected[i] = 2 - 2 * Math.cos((i + 1) * Math.PI / (n + 1));
        }
        assertArrayEquals(expected, SymmetricEigenvalues.of(a), 1e-13);
    }

    /** λ I + u uᵀ: λ, n−1 times, and λ + ‖u‖². */
    @Test
    void repeatedEigenvalues() {
        int n = 40;
        Random random = new Random(1);
        double[] u = random.doubles(n, -1, 1).toArray();
        double square = Arrays.stream(u).map(x -> x * x).sum();
        double[][] a = new double[n][n];
        for (int i = 0; i < n; i++) for (int j = 0; j < n; j++) a[i][j] = u[i] * u[j] + (i == j ? 3 : 0);
        double[] expected = new double[n];
        Arrays.fill(expected, 3);
        expected[n - 1] = 3 + square;
        assertArrayEquals(expected, SymmetricEigenvalues.of(a), 1e-12);
    }

    /** Reflections change no eigenvalue: Q D Q, Q = I − 2 v vᵀ/vᵀv, twice, has those of D. */
    @Test
    void rotatedDiagonal() {
        int n = 60;
        Random random = new Random(2);
        double[] expected = random.doubles(n, -5, 50).sorted().toArray();
        double[][] a = new double[n][n];
        for (int i = 0; i < n; i++) a[i][i] = expected[(i * 7) % n];
        for (int round = 0; round < 3; round++)
            a = reflected(a, random.doubles(n, -1, 1).toArray());
        assertArrayEquals(expected, SymmetricEigenvalues.of(a), 1e-11);
    }

    private static double[][] reflected(double[][] a, double[] v) {
        int n = v.length;
        double square = Arrays.stream(v).map(x -> x * x).sum();
        double[][] q = new double[n][n];
        for (int i = 0; i < n; i++) for (int j = 0; j < n; j++) q[i][j] = (i == j ? 1 : 0) - 2 * v[i] * v[j] / square;
        return times(times(q, a), q);
    }

    private static double[][] times(double[][] a, double[][] b) {
        int n = a.length;
        double[][] y = new double[n][n];
        for (int i = 0; i < n; i++)
            for (int j = 0; j < n; j++) for (int k = 0; k < n; k++) y[i][j] += a[i][k] * b[k][j];
        return y;
    }

    @Test
    void zeroAndNegative() {
        assertArrayEquals(new double[3], SymmetricEigenvalues.of(new double[3][3]), 1e-15);
        assertArrayEquals(new double[] {-1, 1}, SymmetricEigenvalues.of(new double[][] {{0, 1}, {1, 0}}), 1e-15);
        assertEquals(-4, SymmetricEigenvalues.of(new double[][] {{-4}})[0], 1e-15);
    }
}
