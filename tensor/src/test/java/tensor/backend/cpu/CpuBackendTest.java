package tensor.backend.cpu;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import nativelib.Cpu;
import nativelib.NativeLibrary;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import tensor.DType;
import tensor.Shape;
import tensor.Tensor;
import tensor.backend.Backend;
import tensor.backend.Conv2dParams;
import tensor.backend.Distribution;
import tensor.memory.Scope;

/** What the parity with the reference does not show: copies of filters, threads, memory, refusals. */
class CpuBackendTest {
    @BeforeAll
    static void needsTheLibrary() {
        assumeTrue(NativeLibrary.isAvailable(), NativeLibrary.whyNot());
    }

    private static Tensor normal(Backend backend, long seed, int... extents) {
        return normal(backend, DType.F32, seed, extents);
    }

    private static Tensor normal(Backend backend, DType type, long seed, int... extents) {
        Tensor x = Tensor.empty(backend, type, Shape.of(extents));
        backend.random(Distribution.NORMAL, seed, 0, x);
        return x;
    }

    @Test
    void theExampleOfTheChapter() {
        try (Backend backend = CpuBackend.open(1);
                Scope scope = Scope.open("example")) {
            Tensor x = Tensor.of(backend, Shape.of(1, 1, 3, 1), 1, 2, 4); // an image of one row
            Tensor w = Tensor.of(backend, Shape.of(1, 1, 2, 1), -1, 1); // differences of neighbours
            Tensor y = x.empty(Shape.of(1, 1, 2, 1));
            backend.conv2d(Conv2dParams.of(1, 0), x, w, null, null, y);
            assertArrayEquals(new float[] {1, 2}, y.toFloats());
        }
    }

    @Test
    void anUpdatedFilterIsUsedAsItIsNow() {
        try (Backend backend = CpuBackend.open(1);
                Scope scope = Scope.open("update")) {
            Conv2dParams p = Conv2dParams.of(1, 1);
            Tensor x = normal(backend, 1, 1, 5, 5, 16);
            Tensor w = normal(backend, 2, 16, 3, 3, 16);
            Tensor y = x.emptyLike();
            backend.conv2d(p, x, w, null, null, y);
            double[] before = y.toDoubles();
            w.mul_(-2);
            backend.conv2d(p, x, w, null, null, y);
            double[] after = y.toDoubles();
            for (int i = 0; i < after.length; i++) assertEquals(-2 * before[i], after[i], 1e-4);
        }
    }

    @Test
    void aFilterKeptFromTheSecondCallOnGivesTheSameBits() {
        try (Backend backend = CpuBackend.open(2);
                Scope scope = Scope.open("kept")) {
            Tensor x = normal(backend, 1, 4, 16, 16, 20);
            Tensor w = normal(backend, 2, 24, 3, 3, 20);
            float[][] y = new float[4][];
            for (int i = 0; i < 4; i++) {
                Tensor result = x.empty(Shape.of(4, 16, 16, 24));
                backend.conv2d(Conv2dParams.of(1, 1), x, w, null, null, result);
                y[i] = result.toFloats();
                if (i > 0) assertArrayEquals(y[0], y[i]);
            }
        }
    }

    @Test
    void theCopiesOfAFilterLiveAsLongAsItsMemory() {
        try (Backend backend = CpuBackend.open(1);
                Scope outer = Scope.open("outer")) {
            Tensor w = normal(backend, 3, 16, 3, 3, 16);
            assertNull(w.buffer().companion());
            long copies = FilterCopies.of(w);
            AutoCloseable companion = w.buffer().companion();
            assertEquals(copies, FilterCopies.of(w.reshape(16, 9, 1, 16)), "a view shares them");
            assertSame(companion, w.buffer().companion());
        }
    }

    @Test
    void theSameCallGivesTheSameBits() {
        try (Backend backend = CpuBackend.open(2);
                Scope scope = Scope.open("bits")) {
            Tensor x = normal(backend, 4, 40, 9, 9, 20);
            Tensor dy = normal(backend, 5, 40, 9, 9, 20);
            for (Conv2dParams p : new Conv2dParams[] {Conv2dParams.of(1, 1), Conv2dParams.depthwise(1, 20)}) {
                Tensor dw = x.empty(Shape.of(20, 3, 3, 20 / p.groups()));
                Tensor dbias = x.empty(Shape.of(20));
                backend.conv2dBackwardWeights(p, x, dy, dw, dbias);
                float[] first = dw.toFloats();
                float[] firstBias = dbias.toFloats();
                for (int i = 0; i < 5; i++) {
                    backend.conv2dBackwardWeights(p, x, dy, dw, dbias);
                    assertArrayEquals(first, dw.toFloats());
                    assertArrayEquals(firstBias, dbias.toFloats());
                }
            }
        }
    }

    @Test
    void aDepthwiseGradientDoesNotDependOnTheNumberOfThreads() {
        float[][] dw = new float[3][];
        for (int threads = 1; threads <= 3; threads++)
            try (Backend backend = CpuBackend.open(threads);
                    Scope scope = Scope.open("threads")) {
                Tensor w = Tensor.empty(backend, DType.F32, Shape.of(20, 7, 7, 1));
                Tensor x = normal(backend, 6, 40, 9, 9, 20);
                backend.conv2dBackwardWeights(
                        Conv2dParams.depthwise(3, 20), x, normal(backend, 7, 40, 9, 9, 20), w, null);
                dw[threads - 1] = w.toFloats();
            }
        assertArrayEquals(dw[0], dw[1]);
        assertArrayEquals(dw[0], dw[2]);
    }

    @Test
    void ourConvolutionsDoNotDependOnTheNumberOfThreads() {
        sameForAnyNumberOfThreads(DType.F32);
    }

    @Test
    void ourConvolutionsOfHalvesDoNotDependOnTheNumberOfThreads() {
        assumeTrue(Cpu.multipliesHalves(), "convolutions of halves are oneDNN's on this processor");
        sameForAnyNumberOfThreads(DType.BF16);
    }

    /** Enough tiles, and pixels for 1x1, for several parts of the sum over them, the last ones beyond the edge. */
    private static void sameForAnyNumberOfThreads(DType type) {
        float[][][] results = new float[3][][];
        for (int threads = 1; threads <= 3; threads++)
            try (Backend backend = CpuBackend.open(threads);
                    Scope scope = Scope.open("threads")) {
                Conv2dParams p = Conv2dParams.of(1, 1);
                Tensor x = normal(backend, type, 8, 9, 27, 30, 20);
                Tensor w = normal(backend, type, 9, 36, 3, 3, 20);
                Tensor y = x.empty(Shape.of(9, 27, 30, 36));
                Tensor dx = x.emptyLike();
                Tensor dw = w.emptyLike();
                backend.conv2d(p, x, w, null, null, y);
                backend.conv2dBackwardData(p, w, y, dx);
                backend.conv2dBackwardWeights(p, x, y, dw, null);
                List<float[]> all = new ArrayList<>(List.of(y.toFloats(), dx.toFloats(), dw.toFloats()));
                if (type == DType.BF16) { // in floats it is oneDNN's, which may depend on them
                    Tensor ofPixels = x.empty(Shape.of(36, 1, 1, 20));
                    Tensor dbias = x.empty(Shape.of(36));
                    backend.conv2dBackwardWeights(Conv2dParams.of(1, 0), x, y, ofPixels, dbias);
                    all.addAll(List.of(ofPixels.toFloats(), dbias.toFloats()));
                }
                results[threads - 1] = all.toArray(float[][]::new);
            }
        for (int i = 0; i < results[0].length; i++) {
            assertArrayEquals(results[0][i], results[1][i]);
            assertArrayEquals(results[0][i], results[2][i]);
        }
    }

    @Test
    void aBackendWorksFromAnotherThreadThanItWasOpenedOn() throws InterruptedException {
        try (Backend backend = CpuBackend.open(2)) {
            float[][] sums = new float[2][];
            Runnable work = () -> {
                try (Scope scope = Scope.open("elsewhere")) {
                    Tensor x = normal(backend, 8, 64, 64);
                    Tensor y = x.emptyLike();
                    backend.matmul(false, true, x, x, null, y);
                    sums[sums[0] == null ? 0 : 1] = y.toFloats();
                }
            };
            work.run();
            Thread other = new Thread(work);
            other.start();
            other.join();
            assertArrayEquals(sums[0], sums[1]);
        }
    }

    /** A process inherits the cores of the thread that starts it: once it had one of two, and everything in it took twice as long. */
    @Test
    void aProcessStartedAfterwardsMayRunOnAllCores() throws IOException, InterruptedException {
        String before = coresOfANewProcess();
        try (Backend backend = CpuBackend.open(2);
                Scope scope = Scope.open("cores")) {
            normal(backend, 1, 8, 8);
        }
        assertEquals(before, coresOfANewProcess());
    }

    @Test
    void aBackendThatIsClosedTooEarlyLetsTheThreadGoAllTheSame() throws IOException, InterruptedException {
        String before = coresOfANewProcess();
        try (Scope scope = Scope.open("too long")) {
            Backend backend = CpuBackend.open(2);
            normal(backend, 1, 8, 8);
            assertThrows(IllegalStateException.class, backend::close);
            assertEquals(before, coresOfANewProcess());
        }
    }

    private static String coresOfANewProcess() throws IOException, InterruptedException {
        Process process = new ProcessBuilder("grep", "Cpus_allowed_list", "/proc/self/status").start();
        String line = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        assertEquals(0, process.waitFor());
        return line;
    }

    @Test
    void releasedMemoryIsUsedAgain() {
        try (Backend backend = CpuBackend.open(1)) {
            long reserved = 0;
            for (int i = 0; i < 3; i++)
                try (Scope scope = Scope.open("step")) {
                    Tensor.full(backend, DType.F32, Shape.of(1000, 1000), 1);
                    if (i == 0) reserved = backend.memory().reserved();
                    assertEquals(reserved, backend.memory().reserved());
                    assertTrue(backend.memory().live() >= 4_000_000);
                }
            assertEquals(0, backend.memory().live());
        }
    }

    @Test
    void floatsAndHalvesLiveHere() {
        try (Backend backend = CpuBackend.open(1)) {
            assertTrue(backend.supports(DType.F32));
            assertEquals(Cpu.hasHalves(), backend.supports(DType.BF16));
            assertFalse(backend.supports(DType.F64));
            assertThrows(IllegalArgumentException.class, () -> backend.allocate(DType.F64, 1));
            assertTrue(backend.description().endsWith(", 1 thread"), backend.description());
        }
    }

    @Test
    void anIndexThatNamesNoRowIsAnException() {
        try (Backend backend = CpuBackend.open(1);
                Scope scope = Scope.open("index")) {
            Tensor table = Tensor.full(backend, DType.F32, Shape.of(4, 3), 1);
            for (float bad : new float[] {-1, 4, 0.5f, Float.NaN}) {
                Tensor index = Tensor.of(backend, Shape.of(2), 3, bad);
                Tensor y = table.empty(Shape.of(2, 3));
                assertThrows(IllegalArgumentException.class, () -> backend.gather(table, index, y));
                assertThrows(IllegalArgumentException.class, () -> backend.scatterAdd(index, y, table));
            }
        }
    }
}
