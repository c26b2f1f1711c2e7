package bench;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import autograd.check.OpCatalogue;
import java.io.IOException;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import tensor.backend.Backend;
import tensor.backend.Precision;
import tensor.backend.reference.ReferenceBackend;

class GpuParityTest {
    /** The reference agrees with itself in every type: each case runs, and nothing is compared with something else. */
    @ParameterizedTest
    @EnumSource(
            value = Precision.class,
            names = {"FP32", "BF16"})
    void everyCaseRunsInEveryPrecision(Precision precision) {
        try (Backend backend = new ReferenceBackend(precision)) {
            GpuParity.Outcome outcome = GpuParity.run(backend, precision, GpuParity.cases(false));
            assertEquals(OpCatalogue.all().size(), outcome.cases());
            assertEquals(List.of(), outcome.wrong());
        }
    }

    @Test
    void largeNormsAndAttentionAreAmongThem() {
        assertTrue(GpuParity.cases(true).size() >= OpCatalogue.all().size() + 5);
    }

    @Test
    void optionsThatWouldBePassedOverAreRefused() {
        assertNull(GpuTests.wrong(List.of("--small", "--checks")));
        assertEquals("there is no option --check", GpuTests.wrong(List.of("--check")));
        assertEquals("there is no option report", GpuTests.wrong(List.of("--small", "report")));
        assertTrue(GpuTests.wrong(List.of("--times", "--checks")).contains("take one of them"));
    }

    @ParameterizedTest
    @CsvSource({"annotated,10", "ddpm-cifar10,5"})
    void theProcessorsLossesComeAlong(String preset, int steps) throws IOException {
        assertEquals(steps, GpuTests.keptLosses(preset).length);
    }
}
