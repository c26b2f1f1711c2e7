package bench.gpu;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
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
    @Test
    void optionsThatWouldBePassedOverAreRefused() {
        assertNull(GpuTests.wrong(List.of("--small", "--checks")));
        assertEquals("there is no option --check", GpuTests.wrong(List.of("--check")));
        assertEquals("there is no option report", GpuTests.wrong(List.of("--small", "report")));
        assertTrue(GpuTests.wrong(List.of("--times", "--checks")).contains("take one of them"));
        assertTrue(GpuTests.wrong(List.of("--small")).contains("take one of them"));
    }

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
