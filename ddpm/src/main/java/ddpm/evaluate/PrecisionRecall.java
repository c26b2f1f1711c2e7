package ddpm.evaluate;

import java.util.Arrays;

/**
 * Precision and recall of pictures (Kynkäänniemi et al. 2019). The ground that a set covers is a ball around each of its
 * points that reaches to its third nearest neighbour in the set.
 *
 * @param precision share of generated points on the ground of the real ones: are they like real pictures?
 * @param recall share of real points on the ground of the generated ones: is every kind there?
 */
public record PrecisionRecall(double precision, double recall) {
    private static final int NEIGHBOUR = 3;

    /** Of two sets of features, of at least 4 rows each. */
    public static PrecisionRecall of(double[][] real, double[][] generated) {
        return new PrecisionRecall(covered(generated, real), covered(real, generated));
    }

    private static double covered(double[][] points, double[][] ground) {
        double[] reach = new double[ground.length];
        for (int i = 0; i < ground.length; i++) {
            double[] distance = new double[ground.length];
            for (int j = 0; j < ground.length; j++) distance[j] = squared(ground[i], ground[j]);
            Arrays.sort(distance);
            reach[i] = distance[NEIGHBOUR]; // the point itself is number 0
        }
        int inside = 0;
        for (double[] point : points)
            for (int i = 0; i < ground.length; i++)
                if (squared(point, ground[i]) <= reach[i]) {
                    inside++;
                    break;
                }
        return (double) inside / points.length;
    }

    private static double squared(double[] a, double[] b) {
        double sum = 0;
        for (int i = 0; i < a.length; i++) sum += (a[i] - b[i]) * (a[i] - b[i]);
        return sum;
    }
}
