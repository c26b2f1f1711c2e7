package tensor.backend;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import nativelib.NativeLibrary;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import tensor.DType;
import tensor.Shape;
import tensor.Tensor;
import tensor.backend.cpu.CpuBackend;
import tensor.memory.Scope;

/**
 * Our own kernels for the processor give the same bits for any number of threads: in the calls of the parity tests, of which
 * most are too small for a second thread, and in large ones. Convolutions that are our own are in {@code CpuBackendTest}.
 */
class ThreadsTest {
    /** Calls whose sums are oneDNN's, which may depend on the threads. */
    private static final String OF_ONEDNN = "(matmul|conv2d|transposed|a filter).*";

    private static List<CpuBackend> backends = List.of();

    @BeforeAll
    static void open() {
        assumeTrue(NativeLibrary.isAvailable(), NativeLibrary.whyNot());
        backends = IntStream.rangeClosed(1, 3).mapToObj(CpuBackend::open).toList();
    }

    @AfterAll
    static void close() {
        backends.forEach(Backend::close);
    }

    static Stream<ParityCase> cases() {
        return Stream.concat(BackendParityTest.cases().stream(), large().stream())
                .filter(c -> !c.name().matches(OF_ONEDNN));
    }

    /** Of more than 2¹⁵ elements, from where on a kernel shares its work out. */
    private static List<ParityCase> large() {
        List<ParityCase> cases = new ArrayList<>();
        int[][] all = {{6, 30, 20, 44}, {50_000, 7}, {7, 50_001}, {3, 9000, 5}, {700, 1030}};
        for (int[] extents : all)
            for (int axes = 1; axes < 1 << extents.length; axes++) {
                int[] kept = extents.clone();
                for (int axis = 0; axis < kept.length; axis++) if ((axes >> axis & 1) == 1) kept[axis] = 1;
                String name = "large SUM of " + Arrays.toString(extents) + " to " + Arrays.toString(kept);
                cases.add(new ParityCase(name, 1, (b, in) -> {
                    Tensor y = in.room(kept);
                    b.reduce(ReduceOp.SUM, in.normal(extents), y);
                    return new Tensor[] {y};
                }));
            }
        cases.add(new ParityCase("large sumOfSquares", 1, (b, in) -> {
            double sum = b.sumOfSquares(new Tensor[] {in.normal(100_003), in.normal(33), in.normal(50_001)});
            return new Tensor[] {in.exact().of(Shape.of(2), sum, sum - (float) sum)};
        }));
        cases.add(new ParityCase("large pointwise", 1, (b, in) -> {
            Tensor x = in.normal(50, 30, 44);
            Tensor y = in.room(x.shape());
            b.unary(UnaryOp.SILU, x, y);
            b.binary(BinaryOp.MUL, y, in.normal(30, 1), y);
            b.dropout(new Mask(0.9, 7, 0), y, x);
            b.random(Distribution.NORMAL, 7, 0, y);
            return new Tensor[] {x, y};
        }));
        cases.add(new ParityCase("large movement", 1, (b, in) -> {
            double[] rows = new double[7000];
            for (int i = 0; i < rows.length; i++) rows[i] = i * i % 10;
            Tensor index = in.exact().of(Shape.of(rows.length), rows);
            Tensor y = in.room(rows.length, 11);
            Tensor turned = in.room(11, rows.length);
            Tensor dtable = in.room(10, 11);
            b.gather(in.normal(10, 11), index, y);
            b.copy(Region.of(y).permute(1, 0), Region.of(turned));
            b.scatterAdd(index, in.normal(rows.length, 11), dtable);
            return new Tensor[] {turned, dtable};
        }));
        cases.add(new ParityCase("large updates", 1, (b, in) -> {
            Tensor[] w = {in.exact().normal(100_003)};
            Tensor[] m = {in.exact().normal(100_003)};
            Tensor[] v = {in.exact().between(0.1, 2, 100_003)};
            b.adam(new AdamParams(1e-2, 0.9, 0.999, 1e-8, 0.1, true, 7, 1), w, new Tensor[] {in.normal(100_003)}, m, v);
            b.exponentialAverage(0.995, m, w);
            return new Tensor[] {w[0], m[0], v[0]};
        }));
        return cases;
    }

    @ParameterizedTest
    @MethodSource("cases")
    void theSameBitsForAnyNumberOfThreads(ParityCase c) {
        for (DType dtype : new DType[] {DType.F32, DType.BF16}) {
            if (!backends.get(0).supports(dtype)) continue;
            List<float[]> alone = values(backends.get(0), dtype, c);
            for (CpuBackend backend : backends) {
                List<float[]> several = values(backend, dtype, c);
                for (int i = 0; i < alone.size(); i++)
                    assertArrayEquals(alone.get(i), several.get(i), () -> backend.description() + ", " + dtype);
            }
        }
    }

    private static List<float[]> values(Backend backend, DType dtype, ParityCase c) {
        List<float[]> values = new ArrayList<>();
        try (Scope scope = Scope.open("threads")) {
            for (Tensor y : c.run(backend, dtype, 0)) values.add(y.toFloats());
        }
        return values;
    }
}
