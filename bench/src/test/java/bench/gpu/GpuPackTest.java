package bench.gpu;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import ddpm.io.Json;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The folder that {@code gpu-pack.sh} makes runs without Maven and without the Java that made it, on the stand-ins. */
class GpuPackTest {
    private static final Path JAVA = Path.of(System.getProperty("java.home"));

    @BeforeAll
    static void needsAGpu() {
        GpuPairTest.needsAGpu();
        assumeTrue(
                Files.isDirectory(JAVA.resolve("jmods")),
                "this JDK comes without jmods, of which a small Java is made");
    }

    /** @param first a folder of programs that are found before others */
    private static void run(Path in, Path first, String... command) throws IOException, InterruptedException {
        ProcessBuilder builder =
                new ProcessBuilder(command).directory(in.toFile()).redirectErrorStream(true);
        builder.environment().merge("PATH", first.toString(), (path, before) -> before + ":" + path);
        builder.environment().put("JAVA_HOME", JAVA.toString());
        Process process = builder.start();
        String said = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        assertEquals(0, process.waitFor(), said);
    }

    @Test
    void runsAllPartsAndJoinsTheirReports(@TempDir Path folder) throws Exception {
        Path python = folder.resolve("python3"); // one that has no PyTorch, whichever is here
        Files.writeString(python, "#!/bin/sh\nexit 1\n");
        assertTrue(python.toFile().setExecutable(true));
        Path bench = Path.of("").toAbsolutePath();
        run(bench, folder, "bash", "gpu-pack.sh", "--folder");
        Path pack = bench.resolve("target/gpu-pack");
        run(folder, folder, pack.resolve("run-gpu-tests").toString(), "out", "--small");

        Map<?, ?> report = (Map<?, ?>) Json.parse(Files.readAllBytes(folder.resolve("out/report.json")));
        assertEquals(Map.of("checks", 0L, "kernels", 0L, "times", 0L, "benchmarks", 0L), report.get("status"));
        Map<?, ?> checks = (Map<?, ?>) report.get("checks");
        assertEquals(List.of(), checks.get("failures"));
        for (String precision : List.of("fp32", "tf32", "bf16")) {
            assertEquals(0L, ((Map<?, ?>) checks.get("ops " + precision)).get("wrong"));
            assertTrue(checks.get("from cpu annotated-tiny " + precision) instanceof Map);
            assertTrue(Files.exists(folder.resolve("out/checks/samples-annotated-tiny-" + precision + ".png")));
            Map<?, ?> times = (Map<?, ?>) report.get("times");
            assertTrue(((Map<?, ?>) times.get(GpuTimes.TRAINING + " annotated " + precision)).containsKey("recorded"));
        }
        assertEquals(4 * GpuCall.small().size(), ((List<?>) report.get("benchmarks")).size());
        String page = Files.readString(folder.resolve("out/report.md"));
        assertTrue(page.startsWith("# GPU tests: passed\n"), page);
        assertTrue(page.contains("\n- kernels, bf16: ") && page.contains(" cases right\n"), page);
        assertTrue(page.contains("\n### Ops in bf16: ") && page.contains("\n## Calls on the GPU"), page);
    }
}
