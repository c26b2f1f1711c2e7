package autograd;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.stream.LongStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;
import tensor.DType;
import tensor.Shape;
import tensor.Tensor;
import tensor.backend.Backend;
import tensor.backend.Backends;
import tensor.backend.Precision;
import tensor.backend.Recording;
import tensor.backend.reference.ReferenceBackend;
import tensor.memory.Scope;

/**
 * Whatever is joined, cut, shared or put off: value and gradients of a {@link RandomGraph} on every backend are those of the
 * reference in double, the same bits when it is computed again and, where the device records, when it is replayed; and no
 * memory is left. {@code -Dtest.random=SEED,COUNT} picks other graphs, and as many as wanted.
 */
class RandomGraphTest {
    /** Allowed of a gradient's norm: many a product and square root one after the other. */
    private static final double TOLERANCE = 2e-3;

    /** And where a gradient is next to nothing, of the norm of all together. */
    private static final double FLOOR = 1e-5;

    @TestFactory
    Stream<DynamicTest> everyBackendComputesItAsTheReferenceDoes() {
        String[] random = System.getProperty("test.random", "1,16").split(",");
        long first = Long.parseLong(random[0]);
        return Backends.names().stream()
                .filter(name -> !name.equals("reference") && name.matches(System.getProperty("test.backends", ".*")))
                .flatMap(name -> LongStream.range(first, first + Long.parseLong(random[1]))
                        .mapToObj(
                                seed -> DynamicTest.dynamicTest(name + ": graph " + seed, () -> compare(name, seed))));
    }

    private static void compare(String name, long seed) {
        try (Backend reference = new ReferenceBackend();
                Backend backend = opened(name)) {
            try (Scope scope = Scope.open("graph")) {
                List<double[]> expected = results(new RandomGraph(reference, DType.F64, seed));
                RandomGraph graph = new RandomGraph(backend, DType.F32, seed);
                List<double[]> found = results(graph);
                double all = Math.sqrt(expected.stream()
                        .mapToDouble(x -> norm(x, new double[x.length]))
                        .map(x -> x * x)
                        .sum());
                for (int i = 0; i < expected.size(); i++) {
                    double error = norm(found.get(i), expected.get(i));
                    double allowed =
                            TOLERANCE * norm(expected.get(i), new double[expected.get(i).length]) + FLOOR * all;
                    int what = i;
                    assertTrue(
                            error <= allowed,
                            () -> (what == 0 ? "value" : "gradient " + (what - 1)) + ": " + error + " > " + allowed);
                }
                same(found, results(graph));
                replay(backend, graph, found);
            }
            assertEquals(0, backend.memory().live());
        }
    }

    private static Backend opened(String name) {
        try {
            return Backends.open(name, 0, Precision.FP32).backend();
        } catch (IllegalStateException e) {
            return Assumptions.abort("backend " + name + " is not here: " + e.getMessage());
        }
    }

    /** The value, then the gradient of every leaf; zeros where there is none. */
    private static List<double[]> results(RandomGraph graph) {
        List<double[]> results = new ArrayList<>();
        try (Scope scope = Scope.open("results");
                Tape tape = Tape.start()) {
            Variable loss = graph.loss();
            results.add(loss.value().toDoubles());
            Gradients gradients = tape.backward(loss);
            for (Variable leaf : graph.variables()) {
                Tensor gradient = gradients.of(leaf);
                results.add(gradient == null ? new double[leaf.shape().size()] : gradient.toDoubles());
            }
        }
        return results;
    }

    /** Twice what a device has recorded, where it does. */
    private static void replay(Backend backend, RandomGraph graph, List<double[]> expected) {
        Tensor value = Tensor.empty(backend, DType.F32, Shape.SCALAR);
        List<Tensor> gradients = graph.leaves().stream().map(Tensor::emptyLike).toList();
        gradients.forEach(gradient -> backend.fill(gradient, 0));
        Optional<Recording> recorded = backend.record(recorder -> {
            try (Scope scope = Scope.open("body");
                    Tape tape = Tape.start()) {
                Variable loss = graph.loss();
                value.set_(loss.value());
                Gradients found = tape.backward(loss);
                for (int k = 0; k < gradients.size(); k++) {
                    Tensor gradient = found.of(graph.variables().get(k));
                    if (gradient != null) gradients.get(k).set_(gradient);
                }
            }
        });
        if (recorded.isEmpty()) return;
        try (Recording recording = recorded.get()) {
            for (int times = 0; times < 2; times++) {
                recording.replay(new Recording.Numbers(graph.firstDraw(), 0, 1, 0));
                List<double[]> found = new ArrayList<>(List.of(value.toDoubles()));
                gradients.forEach(gradient -> found.add(gradient.toDoubles()));
                same(expected, found);
            }
        }
    }

    private static void same(List<double[]> expected, List<double[]> found) {
        for (int i = 0; i < expected.size(); i++) assertArrayEquals(expected.get(i), found.get(i), "result " + i);
    }

    /** ‖a − b‖. */
    private static double norm(double[] a, double[] b) {
        double sum = 0;
        for (int i = 0; i < a.length; i++) sum += (a[i] - b[i]) * (a[i] - b[i]);
        return Math.sqrt(sum);
    }
}
