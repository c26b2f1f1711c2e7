package ddpm.evaluate;

import datasets.Dataset;

/**
 * How near pictures are to the nearest training picture, in root mean square of the pixels' difference: a model that copies
 * its training set is nearer than pictures that it has never seen are.
 */
public final class NearestNeighbours {
    private NearestNeighbours() {}

    /** The mean over pictures [n,H,W,C] of the distance to the nearest image of a set. */
    public static double meanDistance(float[] pictures, Dataset training) {
        int values = training.values();
        int n = pictures.length / values;
        double[] nearest = new double[n];
        java.util.Arrays.fill(nearest, Double.POSITIVE_INFINITY);
        float[] image = new float[values];
        for (int i = 0; i < training.size(); i++) {
            training.read(i, image, 0, false);
            for (int k = 0; k < n; k++) {
                double sum = 0;
                for (int v = 0; v < values && sum < nearest[k]; v++) {
                    double d = pictures[k * values + v] - image[v];
                    sum += d * d;
                }
                nearest[k] = Math.min(nearest[k], sum);
            }
        }
        double mean = 0;
        for (double square : nearest) mean += Math.sqrt(square / values) / n;
        return mean;
    }
}
