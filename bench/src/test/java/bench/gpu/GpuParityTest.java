package bench.gpu;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import autograd.check.OpCatalogue;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
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
}
