package bench.gpu;

import ddpm.io.Json;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * What the GPU tests have found so far: lines for people, which are also printed as they come, numbers by name, and failures.
 * {@link #write} leaves {@code report.md} and {@code report.json}, so that a run which is cut leaves its first parts.
 */
final class GpuReport {
    private final Path folder;
    private final StringBuilder text = new StringBuilder();
    private final Map<String, Object> found = new LinkedHashMap<>();
    private final List<String> failures = new ArrayList<>();

    GpuReport(Path folder) {
        this.folder = folder;
        found.put("failures", failures);
    }

    Path folder() {
        return folder;
    }

    void say(String line) {
        System.out.println(line);
        text.append(line).append('\n');
    }

    void put(String name, Object value) {
        found.put(name, value);
    }

    void fail(String what) {
        failures.add(what);
    }

    List<String> failures() {
        return failures;
    }

    void write() throws IOException {
        Files.writeString(folder.resolve("report.json"), Json.write(found));
        Files.writeString(folder.resolve("report.md"), text.toString());
    }

    /** A number for JSON, which has no NaN. */
    static Object number(double value) {
        return Double.isFinite(value) ? (Object) value : String.valueOf(value);
    }
}
