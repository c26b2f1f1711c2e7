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
import java.util.function.Consumer;
import tensor.backend.Backend;

/**
 * What {@link Evaluate} says about pictures.
 *
 * @param metrics those asked for
 * @param classifier weights of the eye; {@code null} for those that come with this project
 * @param flip whether the reference has its mirror images too
 * @param results where every number goes
 * @param say for lines that are not results
 */
record PictureReport(
        List<String> metrics,
        Path classifier,
        boolean flip,
        long seed,
        Map<String, Object> results,
        Consumer<String> say) {
    /** For so many pictures the nearest training image is sought. */
    private static final int NEAREST = 64;

    /** Compares n pictures [n,28,28,1] with Fashion-MNIST. */
    void write(float[] drawn, int n, Backend backend) throws IOException {
        int values = Classifier.SIDE * Classifier.SIDE;
        Dataset training = Datasets.open("fashion", 0, false, say);
        Dataset test = Datasets.fashionTest();
        boolean onlyTest = training.sha256().equals(test.sha256());
        if (metrics.stream().anyMatch(m -> !m.equals("nearest"))) features(drawn, n, training, test, onlyTest, backend);
        if (metrics.contains("nearest")) {
            int few = Math.min(n, NEAREST);
            double ours = NearestNeighbours.meanDistance(Arrays.copyOf(drawn, few * values), training);
            Map<String, Object> nearest =
                    new LinkedHashMap<>(Map.of("drawn", Likeness.round(ours), "images", (long) few));
            String real = "";
            if (!onlyTest) {
                double unseen = NearestNeighbours.meanDistance(Eye.pixels(test, 0, few, false), training);
                nearest.put("test", Likeness.round(unseen));
                real = String.format(Locale.ROOT, "; unseen real ones %.4f", unseen);
            }
            results.put("nearest", nearest);
            System.out.printf(
                    Locale.ROOT,
                    "nearest   %.4f rms to the nearest of %d training images, mean of %d%s%n",
                    ours,
                    training.size(),
                    few,
                    real);
        }
    }

    private void features(float[] drawn, int n, Dataset training, Dataset test, boolean onlyTest, Backend backend)
            throws IOException {
        Eye eye = new Eye(
                classifier == null ? ClassifierFile.bundled(backend) : ClassifierFile.load(classifier, backend),
                backend);
        Eye.Seen real = eye.see(Eye.pixels(test, 0, test.size(), false));
        String about = String.format(
                Locale.ROOT,
                "N %d, %d features, reference: the 10,000 test images%s, classifier %.4f right on them",
                n,
                Classifier.FEATURES,
                flip ? " and their mirror images" : "",
                Eye.accuracy(real, test));
        say.accept("features  " + about);
        results.put("features", about);
        Eye.Seen seen = eye.see(drawn);
        if (metrics.contains("class-histogram")) {
            Map<String, Object> histogram = Likeness.histogram(seen);
            results.put("class-histogram", histogram);
            System.out.println("classes   " + histogram);
        }
        if (metrics.stream().noneMatch(List.of("fid", "kid", "precision-recall")::contains)) return;
        double[][] reference = real.features();
        if (flip) {
            double[][] mirrored =
                    eye.see(Eye.pixels(test, 0, test.size(), true)).features();
            double[][] both = Arrays.copyOf(reference, reference.length + mirrored.length);
            System.arraycopy(mirrored, 0, both, reference.length, mirrored.length);
            reference = both;
        }
        Likeness likeness = new Likeness(reference);
        double[][] trained = onlyTest
                ? new double[0][]
                : eye.see(Eye.pixels(training, 0, Math.min(training.size(), 3 * n), false))
                        .features();
        if (metrics.contains("fid")) fid(likeness, seen.features(), trained, n);
        if (metrics.contains("kid")) {
            KernelDistance kid = likeness.kid(seen.features(), seed);
            results.put("kid", List.of(kid.mean(), kid.deviation()));
            System.out.printf(
                    Locale.ROOT, "kid       %.6f, spread %.6f over 10 subsets%n", kid.mean(), kid.deviation());
        }
        if (metrics.contains("precision-recall")) {
            PrecisionRecall pr = likeness.precisionRecall(seen.features());
            results.put("precision-recall", List.of(pr.precision(), pr.recall()));
            System.out.printf(Locale.ROOT, "manifold  precision %.4f, recall %.4f%n", pr.precision(), pr.recall());
        }
    }

    private void fid(Likeness likeness, double[][] features, double[][] real, int n) {
        double fid = likeness.fid(features);
        Map<String, Object> found = new LinkedHashMap<>();
        found.put("fid", Likeness.round(fid));
        Likeness.Floor floor = likeness.floor(real, n);
        String against = "no floor: only the test images are on this machine";
        if (floor != null) {
            found.put("floor", Likeness.round(floor.mean()));
            found.put("floor-deviation", Likeness.round(floor.deviation()));
            found.put("floor-draws", (long) floor.draws());
            found.put("ratio", Likeness.round(fid / floor.mean()));
            against = String.format(
                    Locale.ROOT,
                    "floor %.3f ± %.3f (%d draws of real training images), ratio %.2f at N %d and %d features",
                    floor.mean(),
                    floor.deviation(),
                    floor.draws(),
                    fid / floor.mean(),
                    n,
                    Classifier.FEATURES);
        }
        results.put("fid", found);
        System.out.printf(Locale.ROOT, "fid       %.3f; %s%n", fid, against);
    }
}
