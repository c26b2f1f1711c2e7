package bench;

import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import nativelib.FreeCores;
import tensor.backend.Precision;

/**
 * What this processor can do at most, measured by a small C++ program (peaks.cpp) that is compiled for the purpose: chains
 * of fused multiply-adds in registers, bfloat16 dot products where the processor has them, and copying 256 MiB.
 *
 * @param threads threads that it ran on
 * @param flopPerSecond fp32 operations per second; a fused multiply-add is two
 * @param bf16PerSecond operations per second of bfloat16 dot products; 0 where there are none
 * @param bytesPerSecond bytes read plus bytes written per second
 */
public record Peaks(int threads, double flopPerSecond, double bf16PerSecond, double bytesPerSecond) {
    /** Operations per second in a precision; those of fp32 where the processor has no other. */
    public double flopPerSecond(Precision precision) {
        return precision == Precision.BF16 && bf16PerSecond > 0 ? bf16PerSecond : flopPerSecond;
    }

    /** Measures for about three seconds. */
    public static Peaks measure(int threads) {
        try {
            Path folder = Files.createTempDirectory("peaks");
            Path source = folder.resolve("peaks.cpp");
            Path program = folder.resolve("peaks");
            try (InputStream text = Peaks.class.getResourceAsStream("peaks.cpp")) {
                Files.copy(text, source, StandardCopyOption.REPLACE_EXISTING);
            }
            run(threads, "g++", "-std=c++17", "-O3", "-fopenmp", source.toString(), "-o", program.toString());
            Map<String, Double> value = new HashMap<>();
            for (String line : run(threads, program.toString())) {
                String[] words = line.split(" ");
                value.put(words[0], Double.parseDouble(words[1]));
            }
            Files.delete(program);
            Files.delete(source);
            Files.delete(folder);
            return new Peaks(
                    threads,
                    1e9 * value.getOrDefault("fma_gflops", Double.NaN),
                    1e9 * value.getOrDefault("bf16_gflops", 0.0),
                    1e9 * value.get("copy_gbs"));
        } catch (IOException e) {
            throw new IllegalStateException("the peaks of this machine cannot be measured: " + e.getMessage(), e);
        }
    }

    private static List<String> run(int threads, String... command) throws IOException {
        ProcessBuilder builder = new ProcessBuilder(command).redirectErrorStream(true);
        builder.environment().put("OMP_NUM_THREADS", Integer.toString(threads));
        builder.environment().put("OMP_PROC_BIND", "true");
        Process process = builder.start();
        String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        try {
            if (process.waitFor() != 0) throw new IOException(command[0] + " failed: " + output);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IOException("interrupted", e);
        }
        return output.lines().toList();
    }

    @Override
    public String toString() {
        return String.format(
                "fp32 %.0f GFLOP/s, %s, copy %.1f GB/s, %d threads",
                flopPerSecond * 1e-9,
                bf16PerSecond == 0 ? "no bf16" : String.format("bf16 %.0f GFLOP/s", bf16PerSecond * 1e-9),
                bytesPerSecond * 1e-9,
                threads);
    }

    /** Prints the peaks: {@code bench/run.sh Peaks [THREADS]}. */
    public static void main(String[] args) {
        System.out.println(measure(args.length > 0 ? Integer.parseInt(args[0]) : FreeCores.all()));
    }
}
