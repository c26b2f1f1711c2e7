package bench.gpu;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import ddpm.io.Json;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class GpuSummaryTest {
    @TempDir
    Path folder;

    /** A part that was killed while it wrote. */
    @Test
    void aFileThatWasCutCostsNothingElse() throws IOException {
        Files.writeString(Files.createDirectories(folder.resolve("checks")).resolve("report.json"), "{\"device\":");
        Files.writeString(Files.createDirectories(folder.resolve("benchmarks")).resolve("benchmarks.json"), "");
        Files.writeString(folder.resolve("kernels.md"), "- kernels, f32: 49 cases right\n");
        GpuSummary.main(new String[] {folder.toString(), "abc", "checks=137"});
        String page = Files.readString(folder.resolve("report.md"));
        assertTrue(page.contains("- checks/report.json cannot be read: at character 10"), page);
        assertTrue(page.contains("- benchmarks/benchmarks.json cannot be read"), page);
        assertTrue(page.contains("- checks: status 137\n") && page.contains("49 cases right"), page);
        assertTrue(Files.exists(folder.resolve("report.json")));
    }

    @Test
    void oursStandBesidePyTorchs() throws IOException {
        Path times = Files.createDirectories(folder.resolve("times"));
        Files.writeString(
                times.resolve("report.json"),
                "{\"device\":\"a GPU\",\"training step ms annotated bf16\":{\"call by call\":9.0,\"recorded\":4.0}}");
        Files.writeString(times.resolve("report.md"), "# GPU tests, times\n\n## Time of a training step\n");
        Files.writeString(
                folder.resolve("torch.md"),
                "- left out: default ddpm-cifar10 bf16\n"
                        + "| PyTorch 2.11.0 eager | annotated | bf16 | training step, batch 128 | 50.00 |\n"
                        + "| PyTorch 2.11.0 eager | annotated | tf32 | training step, batch 128 | 40.00 |\n");
        GpuSummary.main(new String[] {folder.toString(), "abc", "times=0", "benchmarks=1"});
        String page = Files.readString(folder.resolve("report.md"));
        assertTrue(page.startsWith("# GPU tests: FAILED\n\n- commit: abc\n- device: a GPU\n- times: good\n"), page);
        assertTrue(page.contains("- benchmarks: status 1\n"), page);
        assertTrue(
                page.contains(
                        "| training step, batch 128 | annotated | bf16 | 4.00 | PyTorch 2.11.0 eager | 50.00 | 12.50 |\n"),
                page);
        assertTrue(page.contains("\n- left out: default ddpm-cifar10 bf16\n"), page);
        Map<?, ?> report = (Map<?, ?>) Json.parse(Files.readAllBytes(folder.resolve("report.json")));
        List<?> torch = (List<?>) report.get("torch");
        assertEquals(2, torch.size());
        assertEquals(40.0, ((Map<?, ?>) torch.get(1)).get("ms"));
        assertEquals(Map.of(), report.get("checks"));
    }
}
