package ddpm.evaluate;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import datasets.Dataset;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.Test;

/** Distances of pictures, against formulas and cases worked out by hand. */
class LikenessTest {
    private static double[][] normal(int n, int d, double mean, double deviation, long seed) {
        Random random = new Random(seed);
        double[][] rows = new double[n][d];
        for (double[] row : rows) for (int i = 0; i < d; i++) row[i] = mean + deviation * random.nextGaussian();
        return rows;
    }

    private static double[][] diagonal(double... values) {
        double[][] a = new double[values.length][values.length];
        for (int i = 0; i < values.length; i++) a[i][i] = values[i];
        return a;
    }

    /** Where the covariances commute, d² = ‖μ₁ − μ₂‖² + Σ (√a − √b)²; a direction may have no variance at all. */
    @Test
    void distanceOfDiagonalGaussians() {
        FeatureStatistics a = new FeatureStatistics(new double[] {1, 2, 3}, diagonal(4, 9, 0));
        FeatureStatistics b = new FeatureStatistics(new double[] {1, 0, 3.5}, diagonal(1, 9, 0.25));
        assertEquals(4 + 0.25 + 1 + 0 + 0.25, a.frechetDistance(b), 1e-7); // the root of a rounding error at λ = 0
        assertEquals(a.frechetDistance(b), b.frechetDistance(a), 1e-7);
        assertEquals(0, a.frechetDistance(a), 1e-7);
    }

    /** For 2x2, tr M^½ = √(tr M + 2 √det M). */
    @Test
    void distanceOfGaussiansThatDoNotCommute() {
        double[][] s = {{2, 0.8}, {0.8, 1}};
        double[][] r = {{1, -0.5}, {-0.5, 3}};
        double trace = s[0][0] * r[0][0] + 2 * s[0][1] * r[0][1] + s[1][1] * r[1][1];
        double det = (2 * 1 - 0.64) * (1 * 3 - 0.25);
        double expected = 3 + 4 - 2 * Math.sqrt(trace + 2 * Math.sqrt(det));
        double[] zero = {0, 0};
        assertEquals(expected, new FeatureStatistics(zero, s).frechetDistance(new FeatureStatistics(zero, r)), 1e-12);
    }

    @Test
    void meanAndCovarianceOfRows() {
        FeatureStatistics f = FeatureStatistics.of(new double[][] {{1, 2}, {3, 6}, {5, 1}});
        assertArrayEquals(new double[] {3, 3}, f.mean(), 1e-14);
        assertArrayEquals(new double[] {4, -1}, f.covariance()[0], 1e-14); // Σ(−2·−1, 0·3, 2·−2)/2
        assertArrayEquals(new double[] {-1, 7}, f.covariance()[1], 1e-14);
    }

    /** N(0, I) against N(m, s² I) in d dimensions: d (m² + (s − 1)²), up to the noise of the samples. */
    @Test
    void fidOfSamplesIsThatOfTheirGaussians() {
        Likeness likeness = new Likeness(normal(4000, 8, 0, 1, 1));
        assertEquals(8 * (0.25 + 0.25), likeness.fid(normal(4000, 8, 0.5, 1.5, 2)), 0.25);
        Likeness.Floor floor = likeness.floor(normal(3500, 8, 0, 1, 3), 1000);
        assertEquals(3, floor.draws());
        assertTrue(floor.mean() > 0 && floor.mean() < 0.1, floor.toString());
        assertNull(likeness.floor(normal(500, 8, 0, 1, 3), 1000));
    }

    /** One draw says nothing of how much draws differ. */
    @Test
    void theFloorOfOneDrawHasNoDeviation() {
        Likeness likeness = new Likeness(normal(1500, 4, 0, 1, 1));
        Likeness.Floor one = likeness.floor(normal(1900, 4, 0, 1, 2), 1000);
        assertTrue(Double.isNaN(one.deviation()), one.toString());
        assertTrue(one.toString().matches("0\\.\\d{3} \\(one draw of real training images\\)"), one.toString());
        assertEquals("8.830 ± 0.280 (3 draws of real training images)", new Likeness.Floor(8.83, 0.28, 3).toString());
    }

    @Test
    void fidOfFewImagesIsRefused() {
        Likeness likeness = new Likeness(normal(100, 3, 0, 1, 1));
        IllegalArgumentException e =
                assertThrows(IllegalArgumentException.class, () -> likeness.fid(normal(999, 3, 0, 1, 2)));
        assertTrue(e.getMessage().contains("at least 1000 images, not 999"), e.getMessage());
    }

    /** x = 0, 1 and y = 2, 3 in one dimension: k(0,1) = 1, k(2,3) = 7³, k(0,·) = 1, k(1,2) = 27, k(1,3) = 64. */
    @Test
    void kernelDistanceByHand() {
        double[][] x = {{0}, {1}};
        double[][] y = {{2}, {3}};
        assertEquals(1 + 343 - 2 * (1 + 1 + 27 + 64) / 4.0, KernelDistance.unbiased(x, y), 1e-12);
    }

    @Test
    void kernelDistanceIsUnbiased() {
        KernelDistance same = KernelDistance.between(normal(900, 16, 0, 1, 1), normal(900, 16, 0, 1, 2), 3);
        assertTrue(Math.abs(same.mean()) < 0.01, same.toString());
        KernelDistance other = KernelDistance.between(normal(900, 16, 0, 1, 1), normal(900, 16, 0.5, 1, 2), 3);
        assertTrue(other.mean() > 0.2, other.toString());
    }

    /** Real: two clusters. Generated: copies of one of them, so all precise and half recalled; or elsewhere: neither. */
    @Test
    void precisionIsLikenessAndRecallIsVariety() {
        double[][] real = normal(200, 2, 0, 1, 1);
        for (int i = 100; i < 200; i++) real[i][0] += 100;
        double[][] half = new double[100][];
        System.arraycopy(real, 0, half, 0, 100);
        PrecisionRecall pr = PrecisionRecall.of(new PrecisionRecall.Ground(real), half);
        assertEquals(1, pr.precision(), 0);
        assertEquals(0.5, pr.recall(), 0);
        assertEquals(
                new PrecisionRecall(0, 0),
                PrecisionRecall.of(new PrecisionRecall.Ground(real), normal(50, 2, 1000, 1, 2)));
    }

    @Test
    void histogramCountsClassesAndTheirEntropy() {
        int[] classes = {0, 0, 1, 9};
        Map<String, Object> map =
                Likeness.histogram(new Eye.Seen(new double[4][], classes, new double[] {0.5, 0.7, 0.9, 0.9}));
        assertEquals(List.of(2L, 1L, 0L, 0L, 0L, 0L, 0L, 0L, 0L, 1L), map.get("counts"));
        assertEquals(1.5, map.get("entropy-bits"));
        assertEquals(0.75, map.get("confidence"));
    }

    @Test
    void nearestNeighbourOfATrainingImageIsItself() {
        byte[] pixels = {0, 0, 0, 0, (byte) 255, (byte) 255, (byte) 255, (byte) 255};
        Dataset data = Dataset.of("two", 2, 2, 1, pixels, null);
        assertEquals(0, NearestNeighbours.meanDistance(new float[] {-1, -1, -1, -1}, data), 1e-9);
        assertEquals(0.5, NearestNeighbours.meanDistance(new float[] {0.5f, 0.5f, 0.5f, 0.5f}, data), 1e-6);
        assertEquals(0.2, NearestNeighbours.meanDistance(new float[] {-1, -1, -1, -1, 1, 0.2f, 1, 1}, data), 1e-6);
    }
}
