package bench.gpu;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import bench.gpu.Floor.Times;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Set;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class FloorTest {
    @TempDir
    Path folder;

    @Test
    void everyCallHasARowAndEveryRowACall() throws IOException {
        Set<String> calls = GpuCall.all().stream().map(GpuCall::name).collect(Collectors.toSet());
        assertEquals(calls, Floor.read(Path.of("gpu-gate.json")).keySet());
    }

    @Test
    void everyCallIsFoundByItsName() {
        for (GpuCall call : GpuCall.all()) assertEquals(call, GpuCall.named(call.toString()));
        assertThrows(IllegalArgumentException.class, () -> GpuCall.named("conv2d"));
    }

    @Test
    void aLongCallIsJudgedByTheRatioAndAShortOneByTheDifference() {
        Floor floor = new Floor(0.97, 3, "the goal");
        assertTrue(floor.passes(new Times(102, 100, 90, 1)));
        assertFalse(floor.passes(new Times(104, 100, 1, 1)));
        assertTrue(floor.passes(new Times(12.9, 10, 4.9, 2)));
        assertFalse(floor.passes(new Times(13.1, 10, 2, 2)));
        assertFalse(floor.passes(new Times(10, 10, 5.1, 2)));
        assertFalse(floor.passes(new Times(Double.NaN, 10, 2, 2)));
        assertFalse(floor.passes(new Times(Double.NaN, 100, 2, 2)));
        assertFalse(new Times(1, 1, 1, Double.NaN).complete());
        assertTrue(new Times(1, 1, 1, 1).complete());
    }

    @Test
    void aRowWithoutAReasonIsRefused() throws IOException {
        Path file = folder.resolve("gate.json");
        Files.writeString(
                file, "{\"rows\": [{\"call\": \"x\", \"ratio\": 0.97, \"microseconds\": 3, \"reason\": \" \"}]}");
        assertThrows(IllegalArgumentException.class, () -> Floor.read(file));
        Files.writeString(file, "{\"rows\": []}");
        assertThrows(IOException.class, () -> Floor.read(file));
    }
}
