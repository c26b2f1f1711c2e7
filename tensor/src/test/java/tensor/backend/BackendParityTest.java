package tensor.backend;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.abort;
import static org.junit.jupiter.api.DynamicContainer.dynamicContainer;
import static org.junit.jupiter.api.DynamicTest.dynamicTest;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ForkJoinPool;
import java.util.function.Consumer;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.DynamicNode;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import tensor.DType;
import tensor.Shape;
import tensor.Tensor;
import tensor.backend.reference.ReferenceBackend;
import tensor.memory.Scope;

/**
 * Every backend that {@link Backends} knows computes what the reference computes: relative L2 error of every output of
 * every {@link ParityCase}, within the bound of the case. A backend that cannot be opened here is skipped by name, with
 * its reason.
 */
class BackendParityTest {
    private static final Backend REFERENCE = new ReferenceBackend();
    private static final Map<String, Backend> OPENED = new HashMap<>();
    private static final Map<String, String> REFUSED = new HashMap<>();

    /** Those that were thought of, and some more: {@code -Dtest.random=SEED,COUNT} picks others, and as many as wanted. */
    static List<ParityCase> cases() {
        String[] random = System.getProperty("test.random", "1,8").split(",");
        List<ParityCase> cases = new ArrayList<>(ParityCases.all());
        cases.addAll(ParityCases.random(Long.parseLong(random[0]), Integer.parseInt(random[1])));
        return cases;
    }

    @TestFactory
    List<DynamicNode> everyBackendAgreesWithTheReference() {
        List<DynamicNode> backends = new ArrayList<>();
        for (String name : Backends.names())
            if (!name.equals(REFERENCE.name()) && name.matches(System.getProperty("test.backends", ".*")))
                backends.add(dynamicContainer(
                        name,
                        cases().stream()
                                .map(c -> dynamicTest(name + ": " + c, () -> agrees(name, DType.F32, c.bound(), c)))));
        return backends;
    }

    @TestFactory
    List<DynamicNode> everyBackendAgreesWithTheReferenceInBf16() {
        List<DynamicNode> backends = new ArrayList<>();
        for (String name : Backends.names())
            if (!name.equals(REFERENCE.name()) && name.matches(System.getProperty("test.backends", ".*")))
                backends.add(dynamicContainer(
                        name,
                        cases().stream()
                                .map(c -> dynamicTest(
                                        name + " bf16: " + c, () -> agrees(name, DType.BF16, c.halfBound(), c)))));
        return backends;
    }

    private static void agrees(String name, DType dtype, double bound, ParityCase c) {
        Backend backend = opened(name);
        if (!backend.supports(dtype)) abort("skipped: the backend " + name + " has no " + dtype);
        String apart = null;
        for (int attempt = 0; attempt < c.tries(); attempt++)
            try (Scope scope = Scope.open("parity")) {
                Tensor[] expected = c.run(REFERENCE, dtype, attempt);
                apart = apart(expected, c.run(backend, dtype, attempt), bound);
                if (apart == null) break;
            }
        assertNull(apart, () -> c.toString());
        assertEquals(0, backend.memory().live(), "closing the scope returns every byte");
    }

    /** Which output is too far from what is expected, or {@code null}. */
    private static String apart(Tensor[] expected, Tensor[] actual, double bound) {
        assertEquals(expected.length, actual.length);
        for (int i = 0; i < expected.length; i++) {
            double error = relativeError(expected[i].toDoubles(), actual[i].toDoubles());
            if (!(error <= bound)) return "output " + i + ": relative error " + error + " > " + bound;
        }
        return null;
    }

    /** ‖actual − expected‖ / ‖expected‖; NaN anywhere makes it NaN, which no bound admits. */
    private static double relativeError(double[] expected, double[] actual) {
        double difference = 0;
        double norm = 0;
        for (int i = 0; i < expected.length; i++) {
            difference += (actual[i] - expected[i]) * (actual[i] - expected[i]);
            norm += expected[i] * expected[i];
        }
        return difference == 0 ? 0 : Math.sqrt(difference / norm);
    }

    @Test
    void aWrongOrMissingNumberIsFound() {
        double[] expected = new double[100_000];
        for (int i = 0; i < expected.length; i++) expected[i] = Math.sin(i);
        double bound = new ParityCase("", 10_000, null).bound();
        double[] actual = expected.clone();
        assertTrue(relativeError(expected, actual) <= bound);
        actual[77_777] += 0.05;
        assertFalse(relativeError(expected, actual) <= bound);
        actual[77_777] = Double.NaN;
        assertFalse(relativeError(expected, actual) <= bound);
        assertFalse(relativeError(new double[1], new double[] {1e-9}) <= bound);
    }

    /** Another backend's guard would wait there for who still reads; here it looks at what is still to be read. */
    @TestFactory
    List<DynamicNode> whoGuardsABlockIsAskedBeforeItIsWritten() {
        List<DynamicNode> backends = new ArrayList<>();
        for (String name : Backends.names())
            if (name.matches(System.getProperty("test.backends", ".*")))
                backends.add(dynamicTest(name, () -> {
                    Backend backend = name.equals(REFERENCE.name()) ? REFERENCE : opened(name);
                    try (Scope scope = Scope.open("guarded")) {
                        Tensor two = Tensor.full(backend, DType.F32, Shape.of(3), 2);
                        List<Consumer<Tensor>> calls = List.of(
                                y -> backend.fill(y, 2),
                                y -> backend.upload(new float[] {2, 2, 2}, y),
                                y -> backend.upload(new double[] {2, 2, 2}, y),
                                y -> backend.copy(Region.of(two), Region.of(y)),
                                y -> backend.binary(BinaryOp.ADD, y, y, y),
                                y -> backend.exponentialAverage(0, new Tensor[] {y}, new Tensor[] {two}));
                        for (Consumer<Tensor> call : calls) {
                            Tensor y = two.fullLike(1);
                            List<Double> seen = new ArrayList<>();
                            y.buffer().guard(() -> seen.add(y.toDoubles()[0]));
                            call.accept(y);
                            assertEquals(List.of(1.0), seen);
                            assertArrayEquals(two.toDoubles(), y.toDoubles());
                        }
                    }
                }));
        return backends;
    }

    private static Backend opened(String name) {
        if (!OPENED.containsKey(name) && !REFUSED.containsKey(name))
            try {
                OPENED.put(name, Backends.open(name, 0, Precision.FP32).backend());
            } catch (IllegalStateException e) {
                REFUSED.put(name, e.getMessage());
            }
        if (REFUSED.containsKey(name)) abort("skipped: " + REFUSED.get(name));
        return OPENED.get(name);
    }

    @AfterAll
    static void close() {
        OPENED.values().forEach(Backend::close);
        REFERENCE.close();
    }

    @Tag("reference")
    @ParameterizedTest
    @MethodSource("cases")
    void theReferenceGivesTheSameBitsOnOneThread(ParityCase c) {
        ForkJoinPool alone = new ForkJoinPool(1);
        try (Scope scope = Scope.open("threads")) {
            List<double[]> many = values(c, DType.F64, 0);
            List<double[]> one = alone.submit(() -> {
                        try (Scope own = Scope.open("one thread")) {
                            return values(c, DType.F64, 0);
                        }
                    })
                    .join();
            for (int i = 0; i < many.size(); i++) assertArrayEquals(many.get(i), one.get(i));
        } finally {
            alone.shutdown();
        }
    }

    @Tag("reference")
    @ParameterizedTest
    @MethodSource("cases")
    void theReferenceRoundsOnlyWhatItStores(ParityCase c) {
        double worst = Double.NaN;
        // a few units of 2^-24 for chained calls, whatever the number of terms
        for (int attempt = 0; attempt < c.tries() && !(worst <= 0x1p-21); attempt++)
            try (Scope scope = Scope.open("rounding")) {
                List<double[]> wide = values(c, DType.F64, attempt);
                List<double[]> narrow = values(c, DType.F32, attempt);
                worst = 0;
                for (int i = 0; i < wide.size(); i++)
                    worst = Math.max(worst, relativeError(wide.get(i), narrow.get(i)));
            }
        assertEquals(0, worst, 0x1p-21, () -> c.toString());
    }

    private static List<double[]> values(ParityCase c, DType dtype, int attempt) {
        List<double[]> all = new ArrayList<>();
        for (Tensor y : c.run(REFERENCE, dtype, attempt)) all.add(y.toDoubles());
        return all;
    }
}
