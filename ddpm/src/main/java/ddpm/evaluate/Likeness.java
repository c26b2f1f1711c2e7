package ddpm.evaluate;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/**
 * Generated pictures against a reference of real ones, in the features of an {@link Eye}; and beside it the floor: what real
 * training pictures, as many, score against the same reference.
 */
public final class Likeness {
    /** Fewer pictures than this give covariances of 512 features that say more about N than about the model. */
    public static final int FEWEST = 1000;

    private final double[][] reference;
    private final FeatureStatistics referenceStatistics;
    private PrecisionRecall.Ground ground; // of the reference's first groundPoints, once it is asked for
    private int groundPoints;

    /** Likeness to these pictures. */
    public Likeness(double[][] reference) {
        this.reference = reference;
        referenceStatistics = FeatureStatistics.of(reference);
    }

    /**
     * FID of some features.
     *
     * @throws IllegalArgumentException below {@value #FEWEST} rows
     */
    public double fid(double[][] features) {
        if (features.length < FEWEST)
            throw new IllegalArgumentException(
                    "fid needs at least " + FEWEST + " images, not " + features.length + ": raise -n");
        return FeatureStatistics.of(features).frechetDistance(referenceStatistics);
    }

    /** KID of some features. */
    public KernelDistance kid(double[][] features, long seed) {
        return KernelDistance.between(features, reference, seed);
    }

    /**
     * FID of real training pictures, in draws of as many as were generated.
     *
     * @param deviation of the draws; NaN of one alone
     */
    public record Floor(double mean, double deviation, int draws) {
        /** For people. */
        @Override
        public String toString() {
            return draws == 1
                    ? String.format(Locale.ROOT, "%.3f (one draw of real training images)", mean)
                    : String.format(
                            Locale.ROOT, "%.3f ± %.3f (%d draws of real training images)", mean, deviation, draws);
        }
    }

    /** The floor, from as many disjoint draws as the rows allow, at most three; {@code null} when there is not even one. */
    public Floor floor(double[][] real, int n) {
        List<Double> scores = new ArrayList<>();
        for (int d = 0; d < 3 && (d + 1) * n <= real.length; d++)
            scores.add(fid(Arrays.copyOfRange(real, d * n, (d + 1) * n)));
        if (scores.isEmpty()) return null;
        double mean = scores.stream().mapToDouble(v -> v).average().orElseThrow();
        double square =
                scores.stream().mapToDouble(v -> (v - mean) * (v - mean)).sum();
        return new Floor(mean, Math.sqrt(square / (scores.size() - 1)), scores.size());
    }

    /** Precision and recall against as many of the reference's pictures. */
    public PrecisionRecall precisionRecall(double[][] features) {
        int n = Math.min(features.length, reference.length);
        if (ground == null || groundPoints != n) {
            ground = new PrecisionRecall.Ground(Arrays.copyOf(reference, n));
            groundPoints = n;
        }
        return PrecisionRecall.of(ground, Arrays.copyOf(features, n));
    }

    /** How many pictures of each class are seen, the entropy of that in bits (3.32 when even), the mean confidence. */
    public static Map<String, Object> histogram(Eye.Seen seen) {
        long[] count = new long[Classifier.CLASSES];
        double confidence = 0;
        for (int i = 0; i < seen.classes().length; i++) {
            count[seen.classes()[i]]++;
            confidence += seen.confidence()[i] / seen.classes().length;
        }
        double entropy = 0;
        List<Object> counts = new ArrayList<>();
        for (long c : count) {
            counts.add(c);
            double p = (double) c / seen.classes().length;
            if (p > 0) entropy -= p * Math.log(p) / Math.log(2);
        }
        Map<String, Object> map = new LinkedHashMap<>();
        map.put("counts", counts);
        map.put("entropy-bits", round(entropy));
        map.put("confidence", round(confidence));
        return map;
    }

    /** Four decimals, for reports. */
    public static double round(double value) {
        return Double.isFinite(value) ? Double.parseDouble(String.format(Locale.ROOT, "%.4f", value)) : value;
    }
}
