package bench.gpu;

import autograd.Gradients;
import autograd.Tape;
import autograd.Variable;
import autograd.check.NetworkCases;
import autograd.check.OpCase;
import autograd.check.OpCatalogue;
import autograd.ops.Attention;
import autograd.ops.Mul;
import autograd.ops.Sum;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import tensor.DType;
import tensor.Tensor;
import tensor.backend.Backend;
import tensor.backend.Precision;
import tensor.backend.reference.ReferenceBackend;
import tensor.memory.Scope;

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
                    List<double[]> expected = run(c, reference, precision.compute());
                    List<double[]> found = run(c, backend, precision.compute());
                    for (int i = 0; i < expected.size(); i++)
                        error = Math.max(error, distance(found.get(i), expected.get(i)));
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

    /** The value, then the gradient of every input that has one. */
    private static List<double[]> run(OpCase c, Backend backend, DType dtype) {
        List<double[]> results = new ArrayList<>();
        try (Scope scope = Scope.open("parity");
                Tape tape = Tape.start()) {
            Tensor[] values = new Tensor[c.inputs().size()];
            for (int k = 0; k < values.length; k++)
                values[k] = c.inputs().get(k).draw(backend, dtype, 50 + k);
            Variable[] x = OpCatalogue.variables(c, values);
            Variable y = c.function().apply(x);
            results.add(y.value().toDoubles());
            Tensor u = new OpCase.Input(y.shape(), -1, 1, OpCase.Input.Role.VALUE)
                    .draw(backend, y.value().dtype(), 99);
            Gradients gradients = tape.backward(Sum.sum(Mul.mul(y, Variable.constant(u))));
            for (Variable v : x)
                if (gradients.of(v) != null) results.add(gradients.of(v).toDoubles());
        }
        return results;
    }

    /** ‖a − b‖ / ‖b‖; infinite where a number is missing. */
    private static double distance(double[] a, double[] b) {
        double difference = 0;
        double size = 1e-12 * b.length;
        for (int i = 0; i < a.length; i++) {
            difference += (a[i] - b[i]) * (a[i] - b[i]);
            size += b[i] * b[i];
        }
        double error = Math.sqrt(difference / size);
        return Double.isNaN(error) ? Double.POSITIVE_INFINITY : error;
    }
}
