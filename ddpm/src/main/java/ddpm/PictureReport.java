package ddpm;

import datasets.Dataset;
import datasets.Datasets;
import ddpm.evaluate.Classifier;
import ddpm.evaluate.ClassifierFile;
import ddpm.evaluate.Eye;
import ddpm.evaluate.KernelDistance;
import ddpm.evaluate.Likeness;
import ddpm.evaluate.NearestNeighbours;
import ddpm.evaluate.PrecisionRecall;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import tensor.backend.Backend;

/**
 * What {@link Evaluate} says about pictures [n,28,28,1]: how they compare with Fashion-MNIST. Everything that real pictures
 * decide (features of the reference, floor) is computed once, when this is opened, and serves every set of pictures.
 */
final class PictureReport {
    /** For so many pictures the nearest training image is sought. */
    private static final int NEAREST = 64;

    private final List<String> metrics;
    private final int n;
    private final long seed;
    private final Dataset training;
    private final boolean onlyTest;
    private final Eye eye; // null when nothing is seen through it
    private final String about;
    private final Likeness likeness; // null when nothing is compared with the reference
    private final Likeness.Floor floor; // null when there is none, or nobody asks
    private final double unseen; // distance of real test images from the nearest training image; NaN likewise

    /**
     * Looks at the real pictures; the classifier joins the innermost scope.
     *
     * @param metrics those asked for
     * @param classifier weights of the eye; {@code null} for those that come with this project
     * @param flip whether the reference has its mirror images too
     * @param n how many pictures there will be
     */
    PictureReport(List<String> metrics, Path classifier, boolean flip, int n, long seed, Backend backend)
            throws IOException {
        this.metrics = metrics;
        this.n = n;
        this.seed = seed;
        training = Datasets.open("fashion");
        Dataset test = Datasets.fashionTest();
        onlyTest = training.sha256().equals(test.sha256());
        boolean compares = metrics.stream().anyMatch(List.of("fid", "kid", "precision-recall")::contains);
        if (compares || metrics.contains("class-histogram")) {
            eye = new Eye(
                    classifier == null ? ClassifierFile.bundled(backend) : ClassifierFile.load(classifier, backend),
                    backend);
            Eye.Seen real = eye.see(Eye.pixels(test, 0, test.size(), false));
            about = String.format(
                    Locale.ROOT,
                    "N %d, %d features, reference: the 10,000 test images%s, classifier %.4f right on them",
                    n,
                    Classifier.FEATURES,
                    flip ? " and their mirror images" : "",
                    Eye.accuracy(real, test));
            likeness = compares ? new Likeness(flip ? withMirrored(real.features(), test) : real.features()) : null;
        } else {
            eye = null;
            about = null;
            likeness = null;
        }
        floor = metrics.contains("fid") && !onlyTest ? likeness.floor(features(training, 3 * n), n) : null;
        unseen = metrics.contains("nearest") && !onlyTest
                ? NearestNeighbours.meanDistance(Eye.pixels(test, 0, Math.min(n, NEAREST), false), training)
                : Double.NaN;
    }

    private double[][] features(Dataset data, int most) {
        return eye.see(Eye.pixels(data, 0, Math.min(data.size(), most), false)).features();
    }

    private double[][] withMirrored(double[][] features, Dataset data) {
        double[][] mirrored = eye.see(Eye.pixels(data, 0, data.size(), true)).features();
        double[][] both = Arrays.copyOf(features, features.length + mirrored.length);
        System.arraycopy(mirrored, 0, both, features.length, mirrored.length);
        return both;
    }

    /** N, features and reference, in words; {@code null} when no picture is looked at through a classifier. */
    String about() {
        return about;
    }

    /**
     * Prints how n drawn pictures compare, and puts every number into the results.
     *
     * @param told the class that each was asked to show; {@code null} where none was
     */
    void write(float[] drawn, int[] told, Map<String, Object> results) {
        if (eye != null) {
            results.put("features", about);
            Eye.Seen seen = eye.see(drawn);
            if (metrics.contains("class-histogram")) histogram(seen, told, results);
            if (metrics.contains("fid")) fid(seen.features(), results);
            if (metrics.contains("kid")) kid(seen.features(), results);
            if (metrics.contains("precision-recall")) precisionRecall(seen.features(), results);
        }
        if (metrics.contains("nearest")) nearest(drawn, results);
    }

    private static void histogram(Eye.Seen seen, int[] told, Map<String, Object> results) {
        Map<String, Object> histogram = Likeness.histogram(seen);
        if (told != null) {
            int right = 0;
            for (int i = 0; i < told.length; i++) if (seen.classes()[i] == told[i]) right++;
            histogram.put("as-told", Likeness.round((double) right / told.length));
        }
        results.put("class-histogram", histogram);
        System.out.println("classes   " + histogram);
    }

    private void fid(double[][] features, Map<String, Object> results) {
        double fid = likeness.fid(features);
        Map<String, Object> found = new LinkedHashMap<>();
        found.put("fid", Likeness.round(fid));
        String against = "no floor: " + (onlyTest ? "only the test images are on this machine" : "too few real ones");
        if (floor != null) {
            found.put("floor", Likeness.round(floor.mean()));
            if (floor.draws() > 1) found.put("floor-deviation", Likeness.round(floor.deviation()));
            found.put("floor-draws", (long) floor.draws());
            found.put("ratio", Likeness.round(fid / floor.mean()));
            against = String.format(
                    Locale.ROOT,
                    "floor %s, ratio %.2f at N %d and %d features",
                    floor,
                    fid / floor.mean(),
                    n,
                    Classifier.FEATURES);
        }
        results.put("fid", found);
        System.out.printf(Locale.ROOT, "fid       %.3f; %s%n", fid, against);
    }

    private void kid(double[][] features, Map<String, Object> results) {
        KernelDistance kid = likeness.kid(features, seed);
        results.put("kid", List.of(kid.mean(), kid.deviation()));
        System.out.printf(Locale.ROOT, "kid       %.6f, spread %.6f over 10 subsets%n", kid.mean(), kid.deviation());
    }

    private void precisionRecall(double[][] features, Map<String, Object> results) {
        PrecisionRecall pr = likeness.precisionRecall(features);
        results.put("precision-recall", List.of(pr.precision(), pr.recall()));
        System.out.printf(Locale.ROOT, "manifold  precision %.4f, recall %.4f%n", pr.precision(), pr.recall());
    }

    private void nearest(float[] drawn, Map<String, Object> results) {
        int few = Math.min(n, NEAREST);
        double ours =
                NearestNeighbours.meanDistance(Arrays.copyOf(drawn, few * Classifier.SIDE * Classifier.SIDE), training);
        Map<String, Object> nearest = new LinkedHashMap<>(Map.of("drawn", Likeness.round(ours), "images", (long) few));
        if (!Double.isNaN(unseen)) nearest.put("test", Likeness.round(unseen));
        results.put("nearest", nearest);
        System.out.printf(
                Locale.ROOT,
                "nearest   %.4f rms to the nearest of %d training images, mean of %d%s%n",
                ours,
                training.size(),
                few,
                Double.isNaN(unseen) ? "" : String.format(Locale.ROOT, "; unseen real ones %.4f", unseen));
    }
}
