package bench.gpu;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import tensor.backend.Backends;

/** Both sides of a benchmark compute the same thing. */
class GpuPairTest {
    @BeforeAll
    static void needsAGpu() {
        try {
            Backends.open("cuda").backend().close();
        } catch (IllegalStateException e) {
            Assumptions.abort(e.getMessage());
        }
    }

    @AfterAll
    static void close() {
        GpuBenchmark.closeAll();
    }

    static List<GpuCall> calls() {
        return GpuCall.small();
    }

    @ParameterizedTest
    @MethodSource("calls")
    void theLibraryAloneGivesWhatWeGive(GpuCall call) {
        try (GpuPair pair = GpuBenchmark.pair(call)) {
            double[] ours = pair.ourResult().toDoubles();
            double[] raw = pair.rawResult().toDoubles();
            double difference = 0;
            double size = 0;
            for (int i = 0; i < ours.length; i++) {
                difference += (ours[i] - raw[i]) * (ours[i] - raw[i]);
                size += ours[i] * ours[i];
            }
            double bound = switch (call.precision()) { // roundings of single operations, of factors, of results
                case FP32 -> 5e-6;
                case TF32 -> 0x1p-9;
                case BF16 -> 0x1p-7;
            };
            assertTrue(size > 0, "the result is zero");
            assertEquals(0, Math.sqrt(difference / size), bound, "relative error");
        }
    }
}
