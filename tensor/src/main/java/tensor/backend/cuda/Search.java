package tensor.backend.cuda;

import java.util.List;
import java.util.function.Consumer;
import java.util.function.Function;
import nativelib.CudaModules;

/**
 * Finds the fastest of some ways to make a call of our own kernels, as it runs in a recorded step, and remembers it from one run to
 * the next: what is best depends on how a device's caches and its memory go together.
 */
final class Search {
    /** What another way takes at most, of the first one's time, to be taken instead. */
    private static final float BETTER = 0.97f;

    private final Engine engine;
    private final SearchFile file;

    /** For calls of one kind. */
    Search(Engine engine, String about) {
        this.engine = engine;
        file = SearchFile.ofUser(about, engine.context(), CudaModules.version());
    }

    /**
     * The fastest.
     *
     * @param key a word that tells the call from others
     * @param ways the usual one first
     * @param words what is written of a way into the file, on one line
     * @param call makes the call in a way; it may be made many times over
     */
    <W> W fastest(String key, List<W> ways, Function<W, String> words, Consumer<W> call) {
        String known = file.get(key);
        for (W way : ways) if (words.apply(way).equals(known)) return way;
        engine.side().join(); // nothing else is to run while calls are timed
        W found = ways.get(0);
        float time = milliseconds(found, call) * BETTER;
        for (W way : ways.subList(1, ways.size())) {
            float other = milliseconds(way, call);
            if (other >= time) continue;
            found = way;
            time = other;
        }
        file.put(key, words.apply(found));
        return found;
    }

    /** Infinite where there is no memory for what lies between two launches. */
    private <W> float milliseconds(W way, Consumer<W> call) {
        return RecordedTime.of(engine.context(), () -> {
            try {
                call.accept(way);
                return 0;
            } catch (OutOfMemoryError e) {
                return 1; // refused
            }
        });
    }
}
