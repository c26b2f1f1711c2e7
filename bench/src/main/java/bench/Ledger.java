package bench;

import ddpm.io.Json;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Supplier;

/**
 * What has been measured already, one line of JSON for each result, written down the moment it is known: a page whose making
 * was cut short goes on where it stopped. Results are good for the commit they were taken at only.
 */
final class Ledger {
    private final Path file; // null: nothing is kept
    private final Map<String, Rounds.Result> results = new LinkedHashMap<>();

    private Ledger(Path file) {
        this.file = file;
    }

    /**
     * The ledger of the commit that is checked out, beside the classes; an empty one that is not kept when sources have been
     * changed since.
     */
    static Ledger ofThisCommit() {
        String commit = Document.commit();
        boolean known = !commit.endsWith(Document.CHANGED) && !commit.equals("unknown");
        String name = commit + (Machine.isHeldToAvx2() ? "-avx2" : "") + ".jsonl";
        return known ? at(Launch.beside("measured").resolve(name)) : new Ledger(null);
    }

    /** The ledger in a file; a last line that is not whole, because the machine stopped, does not count. */
    static Ledger at(Path file) {
        Ledger ledger = new Ledger(file);
        try {
            Files.createDirectories(file.getParent());
            if (!Files.exists(file)) return ledger;
            String text = Files.readString(file);
            String whole = text.substring(0, text.lastIndexOf('\n') + 1);
            if (!whole.equals(text)) Files.writeString(file, whole);
            for (String line : whole.lines().toList())
                if (Json.parse(line) instanceof Map<?, ?> entry)
                    ledger.results.put((String) entry.get("key"), result(entry));
        } catch (IOException e) {
            throw new UncheckedIOException(file + " cannot be read", e);
        }
        return ledger;
    }

    /** The result under this key, over so many rounds: the kept one, or else what is measured now. */
    Rounds.Result get(String what, int rounds, Supplier<Rounds.Result> measure) {
        String key = what + " x" + rounds;
        Rounds.Result known = results.get(key);
        if (known != null) return known;
        Rounds.Result result = measure.get();
        if (file == null) return result;
        results.put(key, result);
        try {
            Files.writeString(
                    file,
                    Json.compact(entry(key, result)) + "\n",
                    StandardCharsets.UTF_8,
                    StandardOpenOption.CREATE,
                    StandardOpenOption.APPEND);
        } catch (IOException e) {
            throw new UncheckedIOException(file + " cannot be written", e);
        }
        return result;
    }

    private static Map<String, Object> entry(String key, Rounds.Result result) {
        Map<String, Object> entry = new LinkedHashMap<>();
        entry.put("key", key);
        entry.put("milliseconds", result.milliseconds());
        entry.put("peakMiB", result.peakMiB());
        entry.put("dropped", (long) result.dropped());
        entry.put("others", result.others());
        return entry;
    }

    private static Rounds.Result result(Map<?, ?> entry) {
        Map<String, List<Double>> milliseconds = new LinkedHashMap<>();
        ((Map<?, ?>) entry.get("milliseconds"))
                .forEach((name, list) -> milliseconds.put(
                        (String) name,
                        ((List<?>) list)
                                .stream().map(x -> ((Number) x).doubleValue()).toList()));
        Map<String, Long> peaks = new LinkedHashMap<>();
        ((Map<?, ?>) entry.get("peakMiB")).forEach((name, mib) -> peaks.put((String) name, (Long) mib));
        return new Rounds.Result(
                milliseconds,
                peaks,
                Math.toIntExact((Long) entry.get("dropped")),
                ((Number) entry.get("others")).doubleValue());
    }
}
