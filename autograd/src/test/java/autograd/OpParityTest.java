package autograd;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import autograd.check.OpCase;
import autograd.check.OpCatalogue;
import autograd.ops.Mul;
import autograd.ops.Sum;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;
import tensor.DType;
import tensor.Tensor;
import tensor.backend.Backend;
import tensor.backend.Backends;
import tensor.backend.Precision;
import tensor.backend.reference.ReferenceBackend;
import tensor.memory.Scope;

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
            List<double[]> expected = run(c, reference, dtype);
            List<double[]> found = run(c, backend, dtype);
            assertEquals(expected.size(), found.size());
            for (int i = 0; i < expected.size(); i++) {
                double error = distance(found.get(i), expected.get(i));
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

    /** The value, then the gradient of every input that has one. */
    private static List<double[]> run(OpCase c, Backend backend, DType dtype) {
        List<double[]> results = new ArrayList<>();
        try (Scope scope = Scope.open("parity");
                Tape tape = Tape.start()) {
            Tensor[] values = new Tensor[c.inputs().size()];
            for (int k = 0; k < values.length; k++)
                values[k] = c.inputs().get(k).draw(backend, dtype, 50 + k);
            Variable[] x = OpCatalogue.variables(c, values);
            Variable y = c.function().apply(x);
            results.add(y.value().toDoubles());
            Tensor u = new OpCase.Input(y.shape(), -1, 1, OpCase.Input.Role.VALUE)
                    .draw(backend, y.value().dtype(), 99);
            Gradients gradients = tape.backward(Sum.sum(Mul.mul(y, Variable.constant(u))));
            for (Variable v : x)
                if (gradients.of(v) != null) results.add(gradients.of(v).toDoubles());
        }
        return results;
    }

    private static double distance(double[] a, double[] b) {
        double difference = 0;
        double size = 1e-12 * b.length;
        for (int i = 0; i < a.length; i++) {
            difference += (a[i] - b[i]) * (a[i] - b[i]);
            size += b[i] * b[i];
        }
        return Math.sqrt(difference / size);
    }
}
