package bench.gpu;

import autograd.check.NetworkCases;
import autograd.check.OpCase;
import autograd.check.OpCatalogue;
import autograd.check.Parity;
import autograd.ops.Attention;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import tensor.backend.Backend;
import tensor.backend.Precision;
import tensor.backend.reference.ReferenceBackend;

/**
 * Every op of the catalogue on a backend against the reference, value and gradients, and norms and attention so large that the backend
 * searches for the way to launch them: the relative L2 error, which may be the rounding of single operations (5e−6), of factors with 11 bits
 * (tf32: 2⁻¹¹, a few times), or of values with 8 bits (bf16).
 */
final class GpuParity {
    /**
     * What was found.
     *
     * @param cases how many were compared
     * @param wrong those beyond the bound, with their errors
     * @param worst the largest error within it, in words
     */
    record Outcome(int cases, List<String> wrong, String worst) {}

    private static final int IMAGES = 16;
    private static final int LARGE = 1 << 20;
    private static final int HEADS = 8;

    private GpuParity() {}

    /** The catalogue; and the norms of networks that have so many values, and attention with four times as many scores. */
    static List<OpCase> cases(boolean large) {
        List<OpCase> cases = new ArrayList<>(OpCatalogue.all());
        if (!large) return cases;
        for (OpCase c : NetworkCases.ofBatch(IMAGES))
            if (c.op().equals("GroupNorm") && c.inputs().get(0).shape().size() >= LARGE) cases.add(c);
        OpCase.Function attention = x -> Attention.attention(x[0], HEADS, 0.2);
        List<OpCase.Input> qkv = List.of(OpCase.Input.of(128, 64, 3 * HEADS * 24));
        cases.add(new OpCase("Attention", "64 positions of 128 images, 8 heads of 24", attention, qkv, 0));
        return cases;
    }

    static double bound(Precision precision) {
        return switch (precision) {
            case FP32 -> 5e-6;
            case TF32 -> 0x1p-9;
            case BF16 -> 0x1p-6;
        };
    }

    static Outcome run(Backend backend, Precision precision, List<OpCase> all) {
        List<String> wrong = new ArrayList<>();
        double worst = 0;
        String which = "none";
        int cases = 0;
        try (Backend reference = new ReferenceBackend()) {
            for (OpCase c : all) {
                cases++;
                double error = 0;
                try {
                    List<double[]> expected = Parity.results(c, reference, precision.compute());
                    List<double[]> found = Parity.results(c, backend, precision.compute());
                    for (int i = 0; i < expected.size(); i++)
                        error = Math.max(error, Parity.distance(found.get(i), expected.get(i)));
                } catch (RuntimeException | OutOfMemoryError e) {
                    wrong.add(c + ": " + e.getMessage());
                    continue;
                }
                if (!(error <= bound(precision))) wrong.add(String.format(Locale.ROOT, "%s: error %.2e", c, error));
                else if (error > worst) {
                    worst = error;
                    which = String.format(Locale.ROOT, "%.1e in %s", error, c);
                }
            }
        }
        return new Outcome(cases, wrong, which);
    }
}
