package tensor.backend.cuda;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import tensor.DType;
import tensor.Rng;
import tensor.Shape;
import tensor.Tensor;
import tensor.backend.Backend;
import tensor.backend.Distribution;
import tensor.backend.NormInputs;
import tensor.backend.NormParams;
import tensor.backend.Precision;
import tensor.backend.reference.ReferenceBackend;
import tensor.memory.Scope;

/**
 * Every way in which a group norm may be launched, against the reference. A search takes one of them on this device and may
 * take another on the next, so all have to be right: for the tests on stand-ins and for those on a GPU.
 */
public final class NormTrials {
    /**
     * What was found.
     *
     * @param ways how many were tried, forward and backward
     * @param meetings those among them whose blocks meet
     * @param worst the largest relative L2 error
     * @param wrong those beyond the bound, with their errors
     */
    public record Outcome(int ways, int meetings, double worst, List<String> wrong) {}

    private final NormParams p;
    private final Shape shape;
    private final DType dtype;

    private NormTrials(NormParams p, Shape shape, DType dtype) {
        this.p = p;
        this.shape = shape;
        this.dtype = dtype;
    }

    /**
     * Tries all.
     *
     * @param shape of x, [N, L, C]
     * @param bound of the relative L2 error
     */
    public static Outcome run(Precision precision, Shape shape, int groups, double bound) {
        NormTrials trials = new NormTrials(new NormParams(groups, 1e-5, true), shape, precision.compute());
        Map<String, float[]> expected;
        try (Backend reference = new ReferenceBackend(precision)) {
            expected = trials.results(reference, true);
        }
        try (CudaBackend backend = CudaBackend.open(precision)) {
            return trials.run(backend, expected, bound);
        }
    }

    private Outcome run(CudaBackend backend, Map<String, float[]> expected, double bound) {
        int ways = 0;
        int meetings = 0;
        double worst = 0;
        List<String> wrong = new ArrayList<>();
        for (boolean backward : new boolean[] {false, true}) {
            NormLaunching.Setting setting;
            try (Scope scope = Scope.open("setting")) {
                setting = NormLaunching.Setting.of(p, Tensor.empty(backend, dtype, shape), backward, 0, backward);
            }
            for (NormLaunching way : backend.norms().candidates(setting)) {
                backend.norms().choose(setting, way);
                Map<String, float[]> found = results(backend, backward);
                ways++;
                if (way.meeting()) meetings++;
                for (String name : found.keySet()) {
                    double error = distance(found.get(name), expected.get(name));
                    worst = Math.max(worst, error);
                    if (!(error <= bound))
                        wrong.add(String.format(
                                Locale.ROOT, "%s of %s, launched as %s: error %.2e", name, setting.word(), way, error));
                }
            }
        }
        return new Outcome(ways, meetings, worst, wrong);
    }

    /** What the call gives, by name, or both calls. */
    private Map<String, float[]> results(Backend backend, boolean backward) {
        try (Scope scope = Scope.open("norm")) {
            Rng rng = new Rng(5);
            Tensor x = rng.draw(Distribution.NORMAL, backend, dtype, shape);
            Tensor dy = rng.draw(Distribution.NORMAL, backend, dtype, shape);
            Tensor offset = rng.draw(Distribution.NORMAL, backend, DType.F32, Shape.of(shape.get(0), shape.get(-1)));
            Tensor gamma = rng.draw(Distribution.UNIFORM, backend, DType.F32, Shape.of(shape.get(-1)));
            Tensor beta = rng.draw(Distribution.NORMAL, backend, DType.F32, gamma.shape());
            NormInputs in = new NormInputs(x, offset, gamma, beta, null, null);
            NormInputs d =
                    new NormInputs(x.emptyLike(), offset.emptyLike(), gamma.emptyLike(), beta.emptyLike(), null, null);
            Tensor y = x.emptyLike();
            Tensor mean = x.emptyExact(Shape.of(shape.get(0), p.groups()));
            Tensor rstd = mean.emptyLike();
            backend.groupNorm(p, null, in, y, mean, rstd);
            Map<String, float[]> results = new LinkedHashMap<>();
            results.put("y", y.toFloats());
            results.put("mean", mean.toFloats());
            results.put("rstd", rstd.toFloats());
            if (!backward) return results;
            backend.groupNormBackward(p, null, in, mean, rstd, dy, new Tensor[0], d);
            results.put("dx", d.x().toFloats());
            results.put("doffset", d.offset().toFloats());
            results.put("dgamma", d.gamma().toFloats());
            results.put("dbeta", d.beta().toFloats());
            return results;
        }
    }

    /** ‖a − b‖ / ‖b‖; infinite where a number is missing. */
    private static double distance(float[] a, float[] b) {
        double difference = 0;
        double size = 0;
        for (int i = 0; i < a.length; i++) {
            difference += ((double) a[i] - b[i]) * ((double) a[i] - b[i]);
            size += (double) b[i] * b[i];
        }
        double error = Math.sqrt(difference / size);
        return Double.isNaN(error) ? Double.POSITIVE_INFINITY : error;
    }
}
