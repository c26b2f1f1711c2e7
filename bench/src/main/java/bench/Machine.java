package bench;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import nativelib.FreeCores;

/** What a figure was measured on. */
public final class Machine {
    private static final List<String> SETS = List.of("avx2", "avx512f", "avx512_bf16", "amx_tile");

    private Machine() {}

    /** Processor, cores, instruction sets, system, Java; one line. */
    public static String describe() {
        String model = "unknown processor";
        List<String> sets = new ArrayList<>();
        try {
            for (String text : Files.readAllLines(Path.of("/proc/cpuinfo"))) {
                String value = text.substring(text.indexOf(':') + 1).strip();
                if (text.startsWith("model name")) model = value;
                if (text.startsWith("flags") && sets.isEmpty())
                    for (String set : SETS) if ((" " + value + " ").contains(" " + set + " ")) sets.add(set);
            }
        } catch (IOException e) {
            model = "unknown processor (" + e.getMessage() + ")";
        }
        return FreeCores.all() + " x " + model + " (" + String.join(" ", sets) + "), "
                + System.getProperty("os.name") + " " + System.getProperty("os.version") + ", Java "
                + Runtime.version();
    }
}
