package tensor.backend;

import java.util.ArrayList;
import java.util.List;
import tensor.backend.cpu.CpuBackend;
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
        Backend open(int threads);
    }

    /** One known backend. */
    record Candidate(String name, Opener opener) {}

    /** From fast to slow; the last one always opens. */
    private static final List<Candidate> CANDIDATES = List.of(
            new Candidate("cpu", CpuBackend::open), new Candidate("reference", threads -> new ReferenceBackend()));

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
        return open(CANDIDATES, name, threads);
    }

    /** {@link #open(String, int)} among these candidates. */
    static Choice open(List<Candidate> candidates, String name, int threads) {
        if (threads < 0) throw new IllegalArgumentException("threads = " + threads + ", needs 0 (all) or more");
        boolean auto = name.equals("auto");
        String decided = auto ? System.getProperty(PROPERTY, "auto") : name;
        String by = auto && !decided.equals("auto") ? " (by -D" + PROPERTY + ")" : "";
        List<String> refusals = new ArrayList<>();
        for (Candidate candidate : decided.equals("auto") ? candidates : List.of(named(candidates, decided))) {
            try {
                Backend backend = candidate.opener.open(threads);
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
