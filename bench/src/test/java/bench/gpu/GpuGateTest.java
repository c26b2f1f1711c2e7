package bench.gpu;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import bench.gpu.Floor.Times;
import java.util.Map;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/** The gate measures once more what was below its floor, and can be shut. */
class GpuGateTest {
    private static final GpuCall CALL = GpuCall.small().get(0);
    private static final Times BAD = new Times(1e6, 1, 1e6, 1);

    @BeforeAll
    static void needsAGpu() {
        GpuPairTest.needsAGpu();
    }

    @AfterAll
    static void close() {
        GpuBenchmark.closeAll();
    }

    private static int judge(Floor floor, StringBuilder page) {
        return GpuBenchmarks.judge(Map.of(CALL, BAD), Map.of(CALL.name(), floor), page);
    }

    @Test
    void aFloorThatNothingReachesShutsItAndNamesTheCall() {
        StringBuilder page = new StringBuilder();
        assertEquals(1, judge(new Floor(1e9, 1e-9, "unreachable"), page) + judge(new Floor(1e-9, 1e9, "any"), page));
        assertTrue(page.toString().contains("- " + CALL + ": ours"), page.toString());
    }

    @Test
    void aCallWithoutARowShutsIt() {
        StringBuilder page = new StringBuilder();
        assertEquals(1, GpuBenchmarks.judge(Map.of(CALL, BAD), Map.of(), page));
        assertTrue(page.toString().contains("has no row"), page.toString());
    }
}
