package tensor.backend;

import java.util.ArrayList;
import java.util.List;
import tensor.backend.cpu.CpuBackend;
import tensor.backend.cuda.CudaBackend;
import tensor.backend.reference.ReferenceBackend;

/**
 * Chooses where to compute, and says so. {@code auto} tries the backends from fast to slow and takes the first that
 * opens; a backend asked for by name is opened or the call fails with the reason, it never falls back. Run with
 * {@code -Dbackend=reference} to decide for every {@code auto}.
 */
public final class Backends {
    /** System property that names the backend {@code auto} stands for. */
    public static final String PROPERTY = "backend";

    /** A backend that opened, and one line for people: what was taken, what was refused, and why. */
    public record Choice(Backend backend, String explanation) {}

    /** A way to open a backend; throws with one clear sentence when it cannot. */
    interface Opener {
        Backend open(int threads, Precision precision);
    }

    /**
     * One known backend.
     *
     * @param precisions how it can compute; the first is what it does when nothing is asked for
     */
    record Candidate(String name, List<Precision> precisions, Opener opener) {
        /** Opens it; {@code null} leaves the precision to the backend. */
        Backend open(int threads, Precision wanted) {
            Precision precision = wanted == null ? precisions.get(0) : wanted;
            if (!precisions.contains(precision))
                throw new IllegalStateException("it does not compute in " + precision + ", only in "
                        + String.join(
                                ", ",
                                precisions.stream().map(Precision::toString).toList()));
            return opener.open(threads, precision);
        }
    }

    /** From fast to slow; the last one always opens. */
    private static final List<Candidate> CANDIDATES = List.of(
            new Candidate(
                    "cuda",
                    List.of(Precision.TF32, Precision.FP32, Precision.BF16),
                    (threads, precision) -> CudaBackend.open(precision)),
            new Candidate("cpu", List.of(Precision.FP32, Precision.BF16), CpuBackend::open),
            new Candidate(
                    "reference",
                    List.of(Precision.FP32, Precision.BF16),
                    (threads, precision) -> new ReferenceBackend(precision)));

    private Backends() {}

    /** The names {@link #open} knows beside {@code auto}, from fast to slow. */
    public static List<String> names() {
        return CANDIDATES.stream().map(Candidate::name).toList();
    }

    /** Opens a backend on all cores that are free. */
    public static Choice open(String name) {
        return open(name, 0);
    }

    /**
     * Opens a backend.
     *
     * @param name {@code auto} or one of {@link #names}
     * @param threads how many threads may compute; 0 for all cores that are free. The reference computes on the common
     *     fork-join pool, whatever this says
     * @throws IllegalArgumentException for an unknown name, with the known ones
     * @throws IllegalStateException when the named backend cannot be opened here, with the reason
     */
    public static Choice open(String name, int threads) {
        return open(name, threads, null);
    }

    /**
     * Opens a backend that computes as exactly as this.
     *
     * @param precision how products are computed; {@code null} for what the backend does by itself
     */
    public static Choice open(String name, int threads, Precision precision) {
        return open(CANDIDATES, name, threads, precision);
    }

    /** {@link #open(String, int, Precision)} among these candidates. */
    static Choice open(List<Candidate> candidates, String name, int threads, Precision precision) {
        if (threads < 0) throw new IllegalArgumentException("threads = " + threads + ", needs 0 (all) or more");
        boolean auto = name.equals("auto");
        String decided = auto ? System.getProperty(PROPERTY, "auto") : name;
        String by = auto && !decided.equals("auto") ? " (by -D" + PROPERTY + ")" : "";
        List<String> refusals = new ArrayList<>();
        for (Candidate candidate : decided.equals("auto") ? candidates : List.of(named(candidates, decided))) {
            try {
                Backend backend = candidate.open(threads, precision);
                String refused = refusals.isEmpty() ? "" : "; not " + String.join("; not ", refusals);
                return new Choice(backend, "backend " + backend.name() + by + ": " + backend.description() + refused);
            } catch (IllegalStateException | UnsatisfiedLinkError e) {
                if (!decided.equals("auto"))
                    throw new IllegalStateException(
                            "backend " + candidate.name + " cannot be opened: " + e.getMessage(), e);
                refusals.add(candidate.name + ": " + e.getMessage());
            }
        }
        throw new IllegalStateException("no backend opens: " + String.join("; ", refusals));
    }

    private static Candidate named(List<Candidate> candidates, String name) {
        for (Candidate candidate : candidates) if (candidate.name.equals(name)) return candidate;
        throw new IllegalArgumentException("no backend is called \"" + name + "\"; known are auto, "
                + String.join(", ", candidates.stream().map(Candidate::name).toList()));
    }
}
