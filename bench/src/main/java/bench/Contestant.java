package bench;

import java.lang.reflect.InvocationTargetException;
import java.util.Map;
import java.util.Optional;
import tensor.backend.Precision;

/** Somebody who can do a {@link Task} so that it can be timed; has the process to itself. */
public interface Contestant {
    /** Names and classes; those of libtorch are there in a build with the profile {@code rivals} or {@code gate}. */
    Map<String, String> CLASSES = Map.of(
            "ours", "bench.Ours",
            "onednn", "bench.kernel.BareOneDnn",
            "libtorch", "bench.libtorch.ContiguousLibtorch",
            "libtorch-cl", "bench.libtorch.ChannelsLastLibtorch");

    /**
     * Gets ready.
     *
     * @return does the task once for each run; nothing when this contestant has no part in it
     */
    Optional<Runnable> prepare(Task task);

    /**
     * A contestant by name.
     *
     * @param threads how many threads it computes on
     * @param precision and how exactly
     */
    static Contestant named(String name, int threads, Precision precision) {
        String type = CLASSES.get(name);
        if (type == null)
            throw new IllegalArgumentException(
                    "no contestant is called \"" + name + "\"; known are " + CLASSES.keySet());
        try {
            return (Contestant) Class.forName(type)
                    .getConstructor(int.class, Precision.class)
                    .newInstance(threads, precision);
        } catch (ClassNotFoundException e) {
            throw new IllegalStateException(
                    name + " is not in this build: build with -Privals (RIVALS=1 bench/run.sh)", e);
        } catch (InvocationTargetException e) {
            throw new IllegalStateException(
                    name + " cannot start: " + e.getCause().getMessage(), e.getCause());
        } catch (ReflectiveOperationException e) {
            throw new IllegalStateException(name + " cannot start: " + e, e);
        }
    }
}
