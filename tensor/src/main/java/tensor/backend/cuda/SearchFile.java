package tensor.backend.cuda;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.HashMap;
import java.util.Map;
import nativelib.LibraryCache;

/**
 * What earlier runs found out on this device with this version of who computes: a line for each search, {@code key choice}. The
 * searches for a whole network take seconds, so they are done once. Lines are only ever appended, each in one write, so several
 * runs may share the file; a line that makes no sense is passed over.
 */
final class SearchFile {
    private final Path file;
    private final Map<String, String> known = new HashMap<>();

    /** The file about something on a device, with a version, in this folder. */
    SearchFile(Path folder, String about, String device, String version) {
        file = folder.resolve(about + "-" + (device + "-" + version).replaceAll("[^A-Za-z0-9.]+", "-") + ".txt");
        if (!Files.isReadable(file)) return;
        try {
            for (String line : Files.readAllLines(file)) {
                int end = line.indexOf(' ');
                if (end > 0) known.put(line.substring(0, end), line.substring(end + 1));
            }
        } catch (IOException e) {
            known.clear(); // as if it were not there: the search is done again
        }
    }

    /** The same in the user's folder. */
    static SearchFile ofUser(String about, CudaContext device, String version) {
        return new SearchFile(LibraryCache.ofUser().root().resolveSibling("cuda"), about, device.name(), version);
    }

    /** What was chosen, or {@code null}; perhaps the beginning of it, where a crash tore the line. */
    String get(String key) {
        return known.get(key);
    }

    /** Remembers a choice. The file is a convenience: where it cannot be written the next run searches again. */
    void put(String key, String choice) {
        known.put(key, choice);
        try {
            Files.createDirectories(file.getParent());
            Files.writeString(file, key + " " + choice + "\n", StandardOpenOption.CREATE, StandardOpenOption.APPEND);
        } catch (IOException e) {
            System.getLogger("tensor.backend.cuda")
                    .log(System.Logger.Level.DEBUG, "could not write " + file + ": " + e.getMessage());
        }
    }
}
