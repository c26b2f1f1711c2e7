package bench.gpu;

import ddpm.io.Json;
import ddpm.io.JsonException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.stream.Stream;

/**
 * One {@code report.json} and one {@code report.md} of what the parts of the GPU tests have left in a folder: {@code checks} and
 * {@code times} ({@link GpuTests}), {@code kernels.md} (each kernel by itself), {@code torch.md} (PyTorch's times, {@code
 * torch_steps.py}), {@code benchmarks} ({@link GpuBenchmarks}). What is not there was not run. {@code run-gpu-tests} starts it
 * at its end:
 *
 * <pre>GpuSummary FOLDER COMMIT PART=STATUS …</pre>
 */
final class GpuSummary {
    /** A row of PyTorch's. */
    private record Rival(String who, String preset, String precision, String work, double milliseconds) {}

    private final Path folder;
    private final StringBuilder page = new StringBuilder();
    private final Map<String, Object> found = new LinkedHashMap<>();

    private GpuSummary(Path folder) {
        this.folder = folder;
    }

    public static void main(String[] args) throws IOException {
        Map<String, Object> statuses = new LinkedHashMap<>();
        for (String part : List.of(args).subList(2, args.length)) {
            String[] words = part.split("=");
            statuses.put(words[0], Long.valueOf(words[1]));
        }
        new GpuSummary(Path.of(args[0])).join(args[1], statuses);
    }

    private void join(String commit, Map<String, Object> statuses) throws IOException {
        boolean passed = statuses.values().stream().allMatch(status -> status.equals(0L));
        line("# GPU tests: " + (passed ? "passed" : "FAILED"));
        line("");
        line("- commit: " + commit);
        Map<?, ?> checks = report("checks");
        Map<?, ?> times = report("times");
        List<Object> benchmarks = benchmarks();
        Object device = (checks.isEmpty() ? times : checks).get("device");
        if (device != null) line("- device: " + device);
        statuses.forEach(
                (part, status) -> line("- " + part + ": " + (status.equals(0L) ? "good" : "status " + status)));
        found.put("commit", commit);
        found.put("device", device);
        found.put("status", statuses);
        List<String> torch = lines("torch.md");
        beside(times, torch);
        List<String> kernels = lines("kernels.md");
        if (!kernels.isEmpty()) line("");
        kernels.forEach(this::line);
        for (String part : List.of("checks", "times")) demoted(lines(part + "/report.md"));
        demoted(lines("benchmarks/benchmarks.md"));
        if (!torch.isEmpty()) {
            line("");
            line("## PyTorch");
            line("");
            torch.forEach(this::line);
        }
        found.put("checks", checks);
        found.put("times", times);
        found.put("benchmarks", benchmarks);
        Files.writeString(folder.resolve("report.md"), page);
        Files.writeString(folder.resolve("report.json"), Json.write(found));
    }

    private void line(String line) {
        page.append(line).append('\n');
    }

    private void demoted(List<String> lines) {
        if (!lines.isEmpty()) line("");
        for (String each : lines) line(each.startsWith("#") ? "#" + each : each);
    }

    private List<String> lines(String name) throws IOException {
        Path file = folder.resolve(name);
        return Files.exists(file) ? Files.readAllLines(file) : List.of();
    }

    private Map<?, ?> report(String part) throws IOException {
        Path file = folder.resolve(part).resolve("report.json");
        return read(file) instanceof Map<?, ?> report ? report : Map.of();
    }

    /** What a file holds; {@code null} where it is missing, or was cut, which is said. */
    private Object read(Path file) throws IOException {
        if (!Files.exists(file)) return null;
        try {
            return Json.parse(Files.readAllBytes(file));
        } catch (JsonException e) {
            line("- " + folder.relativize(file) + " cannot be read: " + e.getMessage());
            return null;
        }
    }

    // ---- beside PyTorch -------------------------------------------------------------------------------------

    private void beside(Map<?, ?> times, List<String> torch) {
        List<Rival> rivals = torch.stream().flatMap(GpuSummary::rival).toList();
        found.put("torch", rivals.stream().map(GpuSummary::json).toList());
        if (rivals.isEmpty()) return;
        line("");
        line("## Beside PyTorch");
        line("");
        if (Boolean.TRUE.equals(times.get("small")))
            line("Ours is a tiny network here and its is not: no comparison.\n");
        line("| work | preset | precision | ours, ms | | its, ms | its / ours |");
        line("| --- | --- | --- | --- | --- | --- | --- |");
        for (Rival rival : rivals) {
            String name = rival.work.startsWith("training") ? GpuTimes.TRAINING : GpuTimes.SAMPLING;
            String key = name + " " + rival.preset + " " + rival.precision;
            if (!(times.get(key) instanceof Map<?, ?> ours)) continue;
            double milliseconds = ((Number) ours.get("recorded")).doubleValue();
            line(String.format(
                    Locale.ROOT,
                    "| %s | %s | %s | %.2f | %s | %.2f | %.2f |",
                    rival.work,
                    rival.preset,
                    rival.precision,
                    milliseconds,
                    rival.who,
                    rival.milliseconds,
                    rival.milliseconds / milliseconds));
        }
    }

    /** What a line of {@code torch_steps.py} says, if it is a row. */
    private static Stream<Rival> rival(String line) {
        String[] cells = line.split("\\|");
        if (cells.length < 6 || !cells[1].strip().startsWith("PyTorch")) return Stream.empty();
        return Stream.of(new Rival(
                cells[1].strip(),
                cells[2].strip(),
                cells[3].strip(),
                cells[4].strip(),
                Double.parseDouble(cells[5].strip())));
    }

    private static Map<String, Object> json(Rival rival) {
        Map<String, Object> object = new LinkedHashMap<>();
        object.put("who", rival.who);
        object.put("preset", rival.preset);
        object.put("precision", rival.precision);
        object.put("work", rival.work);
        object.put("ms", rival.milliseconds);
        return object;
    }

    // ---- benchmarks -----------------------------------------------------------------------------------------

    /** Of JMH's file each call's time, in microseconds, on the device and in the host's queue, ours and the library's. */
    private List<Object> benchmarks() throws IOException {
        List<Object> all = new ArrayList<>();
        Path file = folder.resolve("benchmarks").resolve("benchmarks.json");
        if (!(read(file) instanceof List<?> results)) return all;
        for (Object each : results) {
            Map<?, ?> result = (Map<?, ?>) each;
            Map<?, ?> parameters = (Map<?, ?>) result.get("params");
            Map<?, ?> metric = (Map<?, ?>) result.get("primaryMetric");
            String method = (String) result.get("benchmark");
            Map<String, Object> row = new LinkedHashMap<>();
            row.put("call", parameters.get("call"));
            row.put("side", parameters.get("side"));
            row.put("until", method.substring(method.lastIndexOf('.') + 1));
            row.put("us", metric.get("score"));
            row.put("error", metric.get("scoreError"));
            all.add(row);
        }
        return all;
    }
}
