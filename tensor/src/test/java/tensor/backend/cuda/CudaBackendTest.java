package tensor.backend.cuda;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import tensor.DType;
import tensor.Rng;
import tensor.Shape;
import tensor.Tensor;
import tensor.backend.Backend;
import tensor.backend.Backends;
import tensor.backend.Conv2dParams;
import tensor.backend.Distribution;
import tensor.backend.NormInputs;
import tensor.backend.NormParams;
import tensor.backend.Precision;
import tensor.backend.ReduceOp;
import tensor.backend.cuda.ConvolutionAlgorithm.Direction;
import tensor.memory.Buffer;
import tensor.memory.Scope;

/** What is particular to this backend; that it computes the right numbers is shown by the parity tests. */
class CudaBackendTest extends CudaTest {
    /** cuDNN's own call, with no filters turned round. */
    private static final ConvolutionAlgorithm AS_IT_IS = new ConvolutionAlgorithm(1, 0, false, false);

    @Test
    void theRuntimeLibraryIsNeverLoaded() throws IOException {
        String maps = Files.readString(Path.of("/proc/self/maps"));
        assertTrue(maps.contains("libJCudaDriver"));
        assertFalse(maps.contains("libJCudaRuntime"));
    }

    @Test
    void cudnnWithoutMemoryIsADeviceThatIsFull() {
        for (int status : new int[] {4003, 4004})
            assertThrows(OutOfMemoryError.class, () -> Status.dnn(status, "cudnnCreate"));
        assertThrows(IllegalStateException.class, () -> Status.dnn(3000, "cudnnCreate"));
    }

    @Test
    void bridgesAreLoadedFromThePrivateFolder() throws IOException {
        for (String line : Files.readAllLines(Path.of("/proc/self/maps")))
            if (line.contains("libJC")) assertTrue(line.contains("/ddpm-java/native/libJC"), line);
    }

    @Test
    void arraysLargerThanAStagingSlotGoThereAndBack() {
        try (Scope scope = Scope.open("test")) {
            float[] values = new float[Staging.SLOT / 4 * 2 + 17];
            for (int i = 0; i < values.length; i++) values[i] = i * 0.25f;
            assertArrayEquals(
                    values, Tensor.of(backend, Shape.of(values.length), values).toFloats());
        }
    }

    @Test
    void moreImagesThanAGridHasAreRefusedInWords() {
        try (Scope scope = Scope.open("test")) {
            Tensor x = Tensor.full(backend, DType.F32, Shape.of(65536, 1, 8), 1);
            Tensor mean = x.empty(Shape.of(65536, 1));
            NormParams p = new NormParams(1, 1e-5, false);
            String message = assertThrows(
                            IllegalArgumentException.class,
                            () -> backend.groupNorm(p, null, NormInputs.of(x), x.emptyLike(), mean, mean.emptyLike()))
                    .getMessage();
            assertTrue(message.contains("65535 images at once"), message);
        }
    }

    @Test
    void moreThanTheDeviceHasIsRefusedInWords() {
        try (Scope scope = Scope.open("test")) {
            Tensor held = Tensor.full(backend, DType.F32, Shape.of(3 << 20), 1); // 12 MiB
            OutOfMemoryError error = assertThrows(OutOfMemoryError.class, () -> {
                for (int i = 0; i < 64; i++)
                    Tensor.empty(backend, DType.F32, Shape.of((int) Shape.MAX_SIZE)); // 8 GiB each
            });
            String message = error.getMessage();
            assertTrue(
                    message.matches("asked for \\d+ MiB while \\d+ MiB are in use \\(the device .* has \\d+ of \\d+ MiB"
                            + " free\\): use a smaller batch or model"),
                    message);
            assertEquals(1, held.toFloats()[77], "what was there is intact");
        }
    }

    @Test
    void anIndexThatNamesNoRowIsReportedWhenTheHostReads() {
        try (Scope scope = Scope.open("test")) {
            Tensor table = Tensor.of(backend, Shape.of(3), 1, 2, 3);
            Tensor index = Tensor.of(backend, Shape.of(4), 0, 2, 3, 1);
            Tensor y = Tensor.full(backend, DType.F32, Shape.of(4), 0);
            backend.gather(table, index, y);
            String message =
                    assertThrows(IllegalArgumentException.class, y::toFloats).getMessage();
            assertEquals(
                    "gather in a table of 3 rows: index[2] is not a whole number that names a row, from 0", message);
            backend.gather(table, Tensor.of(backend, Shape.of(4), 0, 2, 2, 1), y);
            assertArrayEquals(new float[] {1, 3, 3, 2}, y.toFloats());
        }
    }

    @Test
    void theSameStepAgainAsksTheDeviceForNothing() {
        close();
        Geometry g = new Geometry(DType.F32, 2, 7, 7, 4, 5, 3, 3, 7, 7, 1, 1, 1, 1);
        note(Precision.FP32, Direction.FORWARD, g, AS_IT_IS);
        open();
        try (Scope root = Scope.open("test")) {
            Tensor w = new Rng(1).draw(Distribution.NORMAL, backend, DType.F32, Shape.of(5, 3, 3, 4));
            long reserved = 0;
            for (int i = 0; i < 4; i++) {
                try (Scope step = Scope.open("step")) {
                    Tensor x = new Rng(2).draw(Distribution.NORMAL, backend, DType.F32, Shape.of(2, 7, 7, 4));
                    Tensor y = x.empty(Shape.of(2, 7, 7, 5));
                    backend.conv2d(Conv2dParams.of(1, 1), x, w, null, null, y);
                    backend.softmax(3, y, y.emptyLike());
                    backend.sumOfSquares(new Tensor[] {y, w});
                    y.sum();
                }
                if (i == 1) reserved = backend.memory().reserved();
            }
            assertEquals(reserved, backend.memory().reserved());
            assertEquals(768, backend.memory().live(), "180 floats in a block of its size class");
        }
        assertEquals(0, backend.memory().live());
    }

    /** Whatever a search has found: here the file says that both directions are best computed by the other. */
    @Test
    void aConvolutionTurnedRoundComputesTheSame() {
        Shape image = Shape.of(2, 7, 5, 6);
        Shape filters = Shape.of(35, 3, 3, 6);
        Shape result = Shape.of(2, 7, 5, 35);
        Conv2dParams p = Conv2dParams.of(1, 1);
        Geometry g = new Geometry(DType.F32, 2, 7, 5, 6, 35, 3, 3, 7, 5, 1, 1, 1, 1);
        for (Direction direction : new Direction[] {Direction.FORWARD, Direction.DATA})
            note(Precision.FP32, direction, g, new ConvolutionAlgorithm(1, 0, true, false));
        float[][] results = new float[2][];
        for (int i = 0; i < 2; i++)
            try (Backend on = Backends.open(i == 0 ? "reference" : "cuda", 0, Precision.FP32)
                            .backend();
                    Scope scope = Scope.open("test")) {
                Tensor x = new Rng(1).draw(Distribution.NORMAL, on, DType.F32, image);
                Tensor w = new Rng(2).draw(Distribution.NORMAL, on, DType.F32, filters);
                Tensor bias = new Rng(3).draw(Distribution.NORMAL, on, DType.F32, Shape.of(35));
                Tensor y = x.empty(result);
                Tensor dx = x.emptyLike();
                on.conv2d(p, x, w, bias, null, y);
                on.conv2dBackwardData(p, w, y, dx);
                results[i] = concatenated(y.toFloats(), dx.toFloats());
                if (on instanceof CudaBackend cuda)
                    assertNull(cuda.algorithm(Direction.FORWARD, p, x, w, y), "it is not this call that computes it");
            }
        assertArrayEquals(results[0], results[1], 1e-3f);
    }

    /**
     * The file says that cuDNN is faster, or cuBLAS, or what an image with a border once left there, that cuDNN does not add a
     * bias; the last time nothing, and a search decides.
     */
    @ParameterizedTest
    @ValueSource(ints = {0, 1, 2, 3})
    void aProductWithABiasIsTheSameByEitherLibrary(int way) {
        int n = 3;
        int h = 15 + 2 * way;
        int c = 8;
        int k = 2048;
        int rows = n * h * 12; // 4 by 1 by 9 h
        ConvolutionAlgorithm[] algorithms = {
            new ConvolutionAlgorithm(1, 0, false, true),
            ConvolutionAlgorithm.PRODUCT,
            new ConvolutionAlgorithm(1, 0, false, false)
        };
        close();
        Geometry[] both = {
            new Geometry(DType.F32, n, h, 12, c, k, 1, 1, h, 12, 1, 0, 0, 1),
            new Geometry(DType.F32, rows / 4, 1, 4, c, k, 1, 1, 1, 4, 1, 0, 0, 1)
        };
        if (way < algorithms.length)
            for (Geometry g : both) note(Precision.FP32, Direction.FORWARD, g, algorithms[way]);
        open();
        Conv2dParams p = Conv2dParams.of(1, 0);
        try (Scope scope = Scope.open("test")) {
            Tensor x = new Rng(1).draw(Distribution.NORMAL, backend, DType.F32, Shape.of(n, h, 12, c));
            Tensor w = new Rng(2).draw(Distribution.NORMAL, backend, DType.F32, Shape.of(k, 1, 1, c));
            Tensor bias = new Rng(3).draw(Distribution.NORMAL, backend, DType.F32, Shape.of(k));
            Tensor y = x.empty(x.shape().with(3, k));
            Tensor z = new Rng(4).draw(Distribution.NORMAL, backend, DType.F32, y.shape());
            Tensor products = x.empty(Shape.of(rows, k));
            backend.matmul(false, true, x.reshape(rows, c), w.reshape(k, c), bias, products);
            backend.conv2d(p, x, w, bias, z, y);
            float[] xs = x.toFloats();
            float[] ws = w.toFloats();
            float[] biases = bias.toFloats();
            float[] zs = z.toFloats();
            float[] expected = new float[zs.length];
            for (int i = 0; i < expected.length; i++) {
                double sum = biases[i % k];
                for (int j = 0; j < c; j++) sum += (double) xs[i / k * c + j] * ws[i % k * c + j];
                expected[i] = (float) sum;
            }
            assertArrayEquals(expected, products.toFloats(), 1e-4f);
            for (int i = 0; i < expected.length; i++) expected[i] += zs[i];
            assertArrayEquals(expected, y.toFloats(), 1e-4f);
            boolean byCuDnn = ((CudaBackend) backend).algorithm(Direction.FORWARD, p, x, w, y) != null;
            if (way < algorithms.length) assertEquals(way != 1, byCuDnn);
        }
    }

    /** The file says that cuBLAS is faster, which in TF32 only is to be believed. */
    @ParameterizedTest
    @CsvSource({
        "TF32, 5, 3, 3, 3, 1, 1",
        "TF32, 4, 6, 2, 2, 1, 1",
        "TF32, 6, 5, 3, 2, 0, 1",
        "TF32, 6, 5, 1, 4, 0, 0",
        "FP32, 5, 3, 3, 3, 1, 1"
    })
    void aGradientOfFiltersByProducts(Precision precision, int h, int w, int r, int s, int top, int left) {
        Conv2dParams p = new Conv2dParams(1, top, top, left, left, 1);
        Shape image = Shape.of(4, h, w, 40);
        Shape filters = Shape.of(12, r, s, 40);
        Shape result = p.outputShape(image, filters);
        Geometry g = new Geometry(DType.F32, 4, h, w, 40, 12, r, s, result.get(1), result.get(2), 1, top, left, 1);
        note(precision, Direction.FILTER, g, ConvolutionAlgorithm.PRODUCT);
        float[][] results = new float[2][];
        for (int i = 0; i < 2; i++)
            try (Backend on = Backends.open(i == 0 ? "reference" : "cuda", 0, i == 0 ? Precision.FP32 : precision)
                            .backend();
                    Scope scope = Scope.open("test")) {
                Tensor x = new Rng(1).draw(Distribution.NORMAL, on, DType.F32, image);
                Tensor dy = new Rng(2).draw(Distribution.NORMAL, on, DType.F32, result);
                Tensor dw = x.empty(filters);
                Tensor dbias = x.empty(Shape.of(12));
                on.conv2dBackwardWeights(p, x, dy, dw, dbias);
                results[i] = concatenated(dw.toFloats(), dbias.toFloats());
                if (on instanceof CudaBackend cuda)
                    assertEquals(precision == Precision.FP32, cuda.algorithm(Direction.FILTER, p, x, dw, dy) != null);
            }
        assertArrayEquals(results[0], results[1], precision == Precision.FP32 ? 1e-4f : 5e-2f);
    }

    /** 40 MiB are free; the search takes 32 for cuDNN, and products, which would need 14, have what is left. */
    @Test
    void aSearchGoesOnWhereProductsFindNoMemory() {
        Conv2dParams p = Conv2dParams.of(1, 1);
        try (Backend on = Backends.open("cuda", 0, Precision.TF32).backend();
                Scope scope = Scope.open("test")) {
            Tensor x = Tensor.full(on, DType.F32, Shape.of(4, 32, 31, 96), 1);
            Tensor dw = x.empty(Shape.of(96, 3, 3, 96));
            try (Scope spare = Scope.open("spare")) {
                x.empty(Shape.of(10 << 20));
                for (int size = 1 << 24; size >= 1 << 17; size >>= 1) fill(scope, x, size);
            }
            on.conv2dBackwardWeights(p, x, x, dw, null);
            assertEquals(4 * 32 * 31, dw.toFloats()[4 * 96]); // the middle of the first filter
            assertTrue(((CudaBackend) on).algorithm(Direction.FILTER, p, x, dw, x) != null);
        }
    }

    @Test
    void aKernelWithMoreArgumentsThanThereIsRoomForIsRefused() {
        try (Engine engine = new Engine(Precision.FP32)) {
            Launch launch = engine.launch(Kernel.FILL, DType.F32);
            for (int i = 0; i < 32; i++) launch.integer(i);
            assertThrows(IllegalStateException.class, () -> launch.integer(32));
        }
    }

    @Test
    void columnsOfMoreMatricesThanAGridHolds() {
        try (Scope scope = Scope.open("test")) {
            Tensor sums = Tensor.full(backend, DType.F32, Shape.of(65536, 33, 2), 1)
                    .reduce(ReduceOp.SUM, Shape.of(65536, 1, 2));
            assertEquals(2 * 65536 * 33.0, sums.sum().item());
        }
    }

    /** With its border it would be a product, which nothing has to be searched for. */
    @Test
    void aPointwiseConvolutionPaddedOnOneSide() {
        try (Scope scope = Scope.open("test")) {
            Tensor x = Tensor.full(backend, DType.F32, Shape.of(1, 3, 3, 9), 1);
            Tensor dy = Tensor.full(backend, DType.F32, Shape.of(1, 4, 3, 9), 1);
            Tensor dw = x.empty(Shape.of(9, 1, 1, 9));
            Conv2dParams p = new Conv2dParams(1, 1, 0, 0, 0, 1);
            backend.conv2dBackwardWeights(p, x, dy, dw, null);
            assertEquals(9, dw.toFloats()[80]);
            Tensor y = dy.emptyLike();
            backend.conv2d(p, x, dw, Tensor.full(backend, DType.F32, Shape.of(9), 2), null, y);
            assertEquals(2, y.toFloats()[26], "above the image");
            assertEquals(9 * 9 + 2, y.toFloats()[27]);
            backend.conv2dBackwardData(p, dw, dy, x);
            assertEquals(9 * 9, x.toFloats()[80]);
        }
    }

    @ParameterizedTest
    @CsvSource({"FP32, 1e-6", "TF32, 1e-3", "BF16, 5e-3"})
    void anEnlargingConvolutionInEachPrecision(Precision precision, double bound) {
        Conv2dParams p = Conv2dParams.of(1, 1).enlarging(2);
        DType dtype = precision.compute();
        float[][] results = new float[2][];
        for (int i = 0; i < 2; i++)
            try (Backend on = Backends.open(i == 0 ? "reference" : "cuda", 0, i == 0 ? Precision.FP32 : precision)
                            .backend();
                    Scope scope = Scope.open("test")) {
                Tensor x = new Rng(1).draw(Distribution.NORMAL, on, dtype, Shape.of(2, 9, 8, 20));
                Tensor w = new Rng(2).draw(Distribution.NORMAL, on, dtype, Shape.of(12, 3, 3, 20));
                Tensor bias = new Rng(3).draw(Distribution.NORMAL, on, dtype, Shape.of(12));
                Tensor z = new Rng(4).draw(Distribution.NORMAL, on, dtype, Shape.of(2, 18, 16, 12));
                Tensor dy = new Rng(5).draw(Distribution.NORMAL, on, dtype, z.shape());
                Tensor y = z.emptyLike();
                Tensor dx = x.emptyLike();
                Tensor dw = w.emptyLike();
                on.conv2d(p, x, w, bias, z, y);
                on.conv2dBackwardWeights(p, x, dy, dw, bias);
                on.conv2dBackwardData(p, w, dy, dx);
                results[i] = concatenated(concatenated(y.toFloats(), dx.toFloats()), dw.toFloats());
            }
        double difference = 0;
        double size = 0;
        for (int i = 0; i < results[0].length; i++) {
            difference += Math.pow(results[1][i] - results[0][i], 2);
            size += Math.pow(results[0][i], 2);
        }
        assertTrue(Math.sqrt(difference / size) <= bound, "relative error " + Math.sqrt(difference / size));
    }

    /** An image of 8x8 is the smallest whose enlarged convolution is one of the small image; its gradients share what is made of dy. */
    @Test
    void gradientsOfAnEnlargingConvolutionShareWhatIsMadeOfDy() {
        close();
        Geometry large = new Geometry(DType.F32, 2, 14, 14, 4, 5, 3, 3, 14, 14, 1, 1, 1, 1);
        Geometry small = new Geometry(DType.F32, 2, 8, 8, 4, 20, 2, 2, 9, 9, 1, 1, 1, 1);
        for (Geometry g : new Geometry[] {large, small}) note(Precision.FP32, Direction.DATA, g, AS_IT_IS);
        open();
        Conv2dParams p = Conv2dParams.of(1, 1).enlarging(2);
        for (int side : new int[] {7, 8})
            try (Scope scope = Scope.open("test")) {
                Tensor x = new Rng(1).draw(Distribution.NORMAL, backend, DType.F32, Shape.of(2, side, side, 4));
                Tensor w = new Rng(2).draw(Distribution.NORMAL, backend, DType.F32, Shape.of(5, 3, 3, 4));
                Tensor dy =
                        new Rng(3).draw(Distribution.NORMAL, backend, DType.F32, Shape.of(2, 2 * side, 2 * side, 5));
                Tensor dw = w.emptyLike();
                Tensor dx = x.emptyLike();
                for (int i = 0; i < 2; i++) {
                    long before = backend.memory().live();
                    backend.conv2dBackwardWeights(p, x, dy, dw, null);
                    assertEquals(side == 8, dy.buffer().companion() != null);
                    backend.conv2dBackwardData(p, w, dy, dx);
                    assertNull(dy.buffer().companion());
                    backend.synchronize();
                    assertEquals(before, backend.memory().live(), "nothing is kept");
                }
            }
        assertEquals(0, backend.memory().live());
    }

    private static float[] concatenated(float[] a, float[] b) {
        float[] both = Arrays.copyOf(a, a.length + b.length);
        System.arraycopy(b, 0, both, a.length, b.length);
        return both;
    }

    /** As when a tensor that was put off is made by a kernel while its address is being asked for. */
    @Test
    void aLaunchWithinTheArgumentsOfAnotherIsNoticed() {
        try (Engine engine = new Engine(Precision.FP32)) {
            Buffer block = engine.scratch(64);
            Launch outer = engine.launch(Kernel.FILL, DType.F32).address(block.address());
            engine.launch(Kernel.FILL, DType.F32)
                    .address(block.address())
                    .integer(1)
                    .number(0)
                    .flat(1);
            outer.integer(1).number(0);
            assertThrows(IllegalStateException.class, () -> outer.flat(1));
            block.release();
        }
    }

    @Test
    void whatIsStillInUseIsReportedOnClosing() {
        Scope scope = Scope.open("test");
        Tensor.full(backend, DType.F32, Shape.of(16), 1);
        assertThrows(IllegalStateException.class, backend::close);
        scope.close();
        backend = null; // half closed: the process ends with the test
    }
}
