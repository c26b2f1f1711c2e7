package bench.gpu;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeFalse;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class GpuTestsTest {
    /** Without a GPU the device does not compute, as after an error in a kernel. */
    @Test
    void whatAPartSaidAndWhyItStoppedIsKeptAndALostDeviceIsLeftAlone(@TempDir Path out) throws IOException {
        assumeFalse(GpuTests.computes(), "here is a GPU that computes");
        GpuTests tests = new GpuTests(true, new GpuReport(out));
        List<String> ran = new ArrayList<>();
        tests.part("first", () -> ran.add("first"));
        tests.part("second", () -> {
            throw new OutOfMemoryError("the device is full");
        });
        String report = Files.readString(out.resolve("report.json"));
        assertTrue(report.contains("second: java.lang.OutOfMemoryError: the device is full"), report);
        assertTrue(report.contains("-Dddpm.cuda.meet=false"), report);
        assertTrue(Files.readString(out.resolve("report.md")).contains("stopped: "));
        tests.part("third", () -> ran.add("third"));
        assertEquals(List.of("first"), ran);
    }
}
