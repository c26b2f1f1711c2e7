package ddpm.evaluate;

import datasets.Dataset;
import java.util.Arrays;
import java.util.stream.IntStream;

/**
 * How near pictures are to the nearest training picture, in root mean square of the pixels' difference: a model that copies
 * its training set is nearer than pictures that it has never seen are.
 */
public final class NearestNeighbours {
    /** Parts of the training set that are searched at the same time. */
    private static final int SLICES = 64;

    private NearestNeighbours() {}

    /** The mean over pictures [n,H,W,C] of the distance to the nearest image of a set. */
    public static double meanDistance(float[] pictures, Dataset training) {
        int n = pictures.length / training.values();
        int slices = Math.min(SLICES, training.size());
        double[][] nearest = IntStream.range(0, slices)
                .parallel()
                .mapToObj(s -> squares(pictures, training, (int) ((long) s * training.size() / slices), (int)
                        ((s + 1L) * training.size() / slices)))
                .toArray(double[][]::new);
        double mean = 0;
        for (int k = 0; k < n; k++) {
            double square = Double.POSITIVE_INFINITY;
            for (double[] slice : nearest) square = Math.min(square, slice[k]);
            mean += Math.sqrt(square / training.values()) / n;
        }
        return mean;
    }

    /** The sum of squared differences of each picture to the nearest of images from..to−1. */
    private static double[] squares(float[] pictures, Dataset training, int from, int to) {
        int values = training.values();
        double[] nearest = new double[pictures.length / values];
        Arrays.fill(nearest, Double.POSITIVE_INFINITY);
        float[] image = new float[values];
        for (int i = from; i < to; i++) {
            training.read(i, image, 0, false);
            for (int k = 0; k < nearest.length; k++) {
                double sum = 0;
                for (int v = 0; v < values && sum < nearest[k]; v++) {
                    double d = pictures[k * values + v] - image[v];
                    sum += d * d;
                }
                nearest[k] = Math.min(nearest[k], sum);
            }
        }
        return nearest;
    }
}
