package tensor.backend.cuda;

import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;
import java.util.function.Function;
import java.util.function.Supplier;
import nativelib.CudaModules;

/**
 * Finds the fastest of some ways to make a call of our own kernels, as it runs in a recorded step, and remembers it, from one run to
 * the next, too: what is best depends on how a device's caches and its memory go together.
 *
 * @param <K> what tells a call from others
 * @param <W> a way to make it
 */
final class Search<K, W> {
    /** What another way takes at most, of the first one's time, to be taken instead. */
    private static final float BETTER = 0.97f;

    private final Engine engine;
    private final Function<K, String> word;
    private final Function<W, String> words;
    private final SearchFile file;
    private final Map<K, W> chosen = new HashMap<>();

    /**
     * For calls of one kind.
     *
     * @param about names the kind
     * @param word what is written of a key into the file
     * @param words what is written of a way, on one line
     */
    Search(Engine engine, String about, Function<K, String> word, Function<W, String> words) {
        this.engine = engine;
        this.word = word;
        this.words = words;
        file = SearchFile.ofUser(about, engine.context(), CudaModules.version());
    }

    /**
     * The fastest, found out once, here or in an earlier run; the usual one where that is not worth its time, or the first call is
     * being recorded.
     *
     * @param worthwhile whether it is
     * @param ways the usual one first
     * @param call makes the call in a way; it may be made many times over
     */
    W of(K key, boolean worthwhile, Supplier<List<W>> ways, Consumer<W> call) {
        W known = chosen.get(key);
        if (known != null) return known;
        List<W> all = ways.get();
        W found = worthwhile ? fastest(word.apply(key), all, call) : all.get(0);
        chosen.put(key, found);
        return found;
    }

    /** From now on this is the way, whether a search finds it or not; nothing is remembered for another run. */
    void choose(K key, W way) {
        chosen.put(key, way);
    }

    private W fastest(String key, List<W> ways, Consumer<W> call) {
        String known = file.get(key);
        for (W way : ways) if (words.apply(way).equals(known)) return way;
        W usual = ways.get(0);
        if (engine.recording() != null) return usual;
        engine.side().join(); // nothing else is to run while calls are timed
        W found = usual;
        float time = milliseconds(usual, call) * BETTER;
        for (W way : ways.subList(1, ways.size())) {
            float other = milliseconds(way, call);
            if (other >= time) continue;
            found = way;
            time = other;
        }
        // once more: the device may have been slower when the first was timed
        if (found != usual && milliseconds(usual, call) * BETTER <= time) found = usual;
        if (time < Float.POSITIVE_INFINITY) file.put(key, words.apply(found)); // else there was no room to time any
        return found;
    }

    private float milliseconds(W way, Consumer<W> call) {
        return RecordedTime.of(engine.context(), (Runnable) () -> call.accept(way));
    }
}
