package bench;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import nativelib.FreeCores;

/** What a figure was measured on. */
public final class Machine {
    private static final List<String> SETS = List.of("avx2", "avx512f", "avx512_bf16", "amx_tile");

    private Machine() {}

    /**
     * Whether all contestants are held back to AVX2, as on an older processor: oneDNN and our kernels by {@code
     * ONEDNN_MAX_CPU_ISA=AVX2}, libtorch by what {@link Launch} adds to it.
     */
    static boolean isHeldToAvx2() {
        return "AVX2".equals(System.getenv("ONEDNN_MAX_CPU_ISA"));
    }

    /** The widest vectors that it has instructions for: {@code avx512} (with bfloat16), {@code avx2} or {@code none}. */
    public static String isa() {
        List<String> sets = sets();
        return sets.contains("avx512_bf16") ? "avx512" : sets.contains("avx2") ? "avx2" : "none";
    }

    /** Processor, cores, instruction sets, system, Java; one line. */
    public static String describe() {
        return FreeCores.all() + " x " + field("model name") + " (" + String.join(" ", sets())
                + (isHeldToAvx2() ? ", held back to that" : "") + "), "
                + System.getProperty("os.name") + " " + System.getProperty("os.version") + ", Java "
                + Runtime.version();
    }

    private static List<String> sets() {
        String flags = " " + field("flags") + " ";
        return SETS.stream()
                .filter(set -> flags.contains(" " + set + " ") && (set.equals("avx2") || !isHeldToAvx2()))
                .toList();
    }

    /** What the system says of the first processor. */
    private static String field(String name) {
        try (Stream<String> lines = Files.lines(Path.of("/proc/cpuinfo"))) {
            return lines.filter(line -> line.startsWith(name))
                    .map(line -> line.substring(line.indexOf(':') + 1).strip())
                    .findFirst()
                    .orElse("unknown");
        } catch (IOException e) {
            throw new UncheckedIOException("benchmarks need Linux: /proc/cpuinfo cannot be read", e);
        }
    }
}
