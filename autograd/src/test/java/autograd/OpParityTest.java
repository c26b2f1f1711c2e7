package autograd;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import autograd.check.OpCase;
import autograd.check.OpCatalogue;
import autograd.check.Parity;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;
import tensor.DType;
import tensor.backend.Backend;
import tensor.backend.Backends;
import tensor.backend.Precision;
import tensor.backend.reference.ReferenceBackend;

/** Every op on every backend against the reference: value and gradients, in 32-bit floats. */
class OpParityTest {
    /** ‖a − b‖ / ‖b‖, allowed: rounding of single operations, grown by sums of a few hundred terms. */
    private static final double TOLERANCE = 5e-6;

    /** The same where values have 8 bits: a few roundings of 2⁻⁹ one after the other. */
    private static final double HALF_TOLERANCE = 0x1p-6;

    private static final Map<String, Backend> OPENED = new HashMap<>();
    private static final Map<String, String> REFUSED = new HashMap<>();

    @TestFactory
    Stream<DynamicTest> everyBackendAgreesWithTheReference() {
        return Backends.names().stream()
                .filter(name -> !name.equals("reference") && name.matches(System.getProperty("test.backends", ".*")))
                .flatMap(name -> OpCatalogue.all().stream()
                        .map(c -> DynamicTest.dynamicTest(name + ": " + c, () -> compare(name, DType.F32, c))));
    }

    @TestFactory
    Stream<DynamicTest> everyBackendAgreesWithTheReferenceInBf16() {
        return Backends.names().stream()
                .filter(name -> !name.equals("reference") && name.matches(System.getProperty("test.backends", ".*")))
                .flatMap(name -> OpCatalogue.all().stream()
                        .map(c -> DynamicTest.dynamicTest(name + " bf16: " + c, () -> compare(name, DType.BF16, c))));
    }

    private static void compare(String name, DType dtype, OpCase c) {
        Backend backend = opened(name);
        Assumptions.assumeTrue(backend.supports(dtype), name + " has no " + dtype);
        double tolerance = dtype == DType.BF16 ? HALF_TOLERANCE : TOLERANCE;
        try (Backend reference = new ReferenceBackend()) {
            List<double[]> expected = Parity.results(c, reference, dtype);
            List<double[]> found = Parity.results(c, backend, dtype);
            assertEquals(expected.size(), found.size());
            for (int i = 0; i < expected.size(); i++) {
                double error = Parity.distance(found.get(i), expected.get(i));
                int what = i;
                assertTrue(
                        error <= tolerance,
                        () -> c + ", " + (what == 0 ? "value" : "gradient " + (what - 1)) + ": error " + error);
            }
            assertEquals(0, backend.memory().live());
        }
    }

    private static Backend opened(String name) {
        if (!OPENED.containsKey(name) && !REFUSED.containsKey(name))
            try {
                OPENED.put(name, Backends.open(name, 0, Precision.FP32).backend());
            } catch (IllegalStateException e) {
                REFUSED.put(name, e.getMessage());
            }
        if (REFUSED.containsKey(name)) Assumptions.abort("backend " + name + " is not here: " + REFUSED.get(name));
        return OPENED.get(name);
    }

    @AfterAll
    static void close() {
        OPENED.values().forEach(Backend::close);
    }
}
