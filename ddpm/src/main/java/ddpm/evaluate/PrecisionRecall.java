package ddpm.evaluate;

import java.util.Arrays;
import java.util.stream.IntStream;

/**
 * Precision and recall of pictures (Kynkäänniemi et al. 2019), from the {@link Ground} that each set of features covers.
 *
 * @param precision share of generated points on the ground of the real ones: are they like real pictures?
 * @param recall share of real points on the ground of the generated ones: is every kind there?
 */
public record PrecisionRecall(double precision, double recall) {
    private static final int NEIGHBOUR = 3;

    /** Of real features, and generated ones of at least 4 rows. */
    public static PrecisionRecall of(Ground real, double[][] generated) {
        return new PrecisionRecall(real.share(generated), new Ground(generated).share(real.points));
    }

    /** A ball around each point of a set that reaches to its third nearest neighbour in the set. */
    public static final class Ground {
        private final double[][] points;
        private final double[] squaredReach;

        /** What at least 4 points cover. */
        public Ground(double[][] points) {
            this.points = points;
            squaredReach = IntStream.range(0, points.length)
                    .parallel()
                    .mapToDouble(i -> {
                        double[] distances = new double[points.length];
                        for (int j = 0; j < points.length; j++) distances[j] = squared(points[i], points[j]);
                        Arrays.sort(distances);
                        return distances[NEIGHBOUR]; // the point itself is number 0
                    })
                    .toArray();
        }

        /** The share of some points that lie on it. */
        double share(double[][] others) {
            long inside = Arrays.stream(others).parallel().filter(this::covers).count();
            return (double) inside / others.length;
        }

        private boolean covers(double[] point) {
            for (int i = 0; i < points.length; i++) if (squared(point, points[i]) <= squaredReach[i]) return true;
            return false;
        }
    }

    private static double squared(double[] a, double[] b) {
        double sum = 0;
        for (int i = 0; i < a.length; i++) sum += (a[i] - b[i]) * (a[i] - b[i]);
        return sum;
    }
}
