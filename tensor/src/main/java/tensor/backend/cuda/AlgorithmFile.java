package tensor.backend.cuda;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.HashMap;
import java.util.Map;

/**
 * What earlier runs found out about convolutions on this device with this cuDNN: a line for each, {@code key number workspace
 * turned addsBias}. A search takes seconds for a whole network, so it is done once. Lines are only ever appended, each in one
 * write, so several runs may share the file; a line that makes no sense is passed over.
 */
final class AlgorithmFile {
    private final Path file;
    private final Map<String, ConvolutionAlgorithm> known = new HashMap<>();

    /** The file of a device and a version of cuDNN in this folder. */
    AlgorithmFile(Path folder, String device, String version) {
        file = folder.resolve("convolutions-" + (device + "-" + version).replaceAll("[^A-Za-z0-9.]+", "-") + ".txt");
        if (!Files.isReadable(file)) return;
        try {
            for (String line : Files.readAllLines(file)) read(line);
        } catch (IOException e) {
            known.clear(); // as if it were not there: the search is done again
        }
    }

    private void read(String line) {
        String[] words = line.split(" ");
        if (words.length != 5) return;
        try {
            int number = Integer.parseInt(words[1]);
            known.put(
                    words[0],
                    new ConvolutionAlgorithm(
                            number,
                            Long.parseLong(words[2]),
                            Boolean.parseBoolean(words[3]),
                            Boolean.parseBoolean(words[4])));
        } catch (NumberFormatException e) {
            return; // torn by a crash
        }
    }

    /** What is known, or {@code null}. */
    ConvolutionAlgorithm get(String key) {
        return known.get(key);
    }

    /** Remembers a result. The file is a convenience: where it cannot be written the next run searches again. */
    void put(String key, ConvolutionAlgorithm found) {
        known.put(key, found);
        String line = key + " " + found.number() + " " + found.workspace() + " " + found.turned() + " "
                + found.addsBias() + "\n";
        try {
            Files.createDirectories(file.getParent());
            Files.writeString(file, line, StandardOpenOption.CREATE, StandardOpenOption.APPEND);
        } catch (IOException e) {
            System.getLogger("tensor.backend.cuda")
                    .log(System.Logger.Level.DEBUG, "could not write " + file + ": " + e.getMessage());
        }
    }
}
