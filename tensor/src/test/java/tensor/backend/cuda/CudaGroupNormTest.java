package tensor.backend.cuda;

import static jcuda.jcudnn.JCudnn.cudnnBatchNormalizationBackward;
import static jcuda.jcudnn.JCudnn.cudnnBatchNormalizationForwardTraining;
import static jcuda.jcudnn.cudnnBatchNormMode.CUDNN_BATCHNORM_SPATIAL;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
import jcuda.Pointer;
import jcuda.jcudnn.cudnnTensorDescriptor;
import nativelib.CudaModules;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import tensor.DType;
import tensor.Rng;
import tensor.Shape;
import tensor.Tensor;
import tensor.backend.Backend;
import tensor.backend.Distribution;
import tensor.backend.Mask;
import tensor.backend.NormInputs;
import tensor.backend.NormParams;
import tensor.backend.Precision;
import tensor.backend.Region;
import tensor.backend.reference.ReferenceBackend;
import tensor.memory.Scope;

/**
 * Our group norm against cuDNN, which has none: a tensor [N, C, H, W] read as [1, N·G, C/G·H, W] has one "channel" for each
 * group of each image, and batch normalisation over it, with gain 1 and shift 0, is group normalisation. The mode is the
 * plain spatial one; the persistent one can overflow.
 */
class CudaGroupNormTest {
    private static final int N = 3;
    private static final int C = 12;
    private static final int G = 4;
    private static final int H = 5;
    private static final int W = 7;
    private static final double EPS = 1e-5;

    private static Backend open() {
        return CudaTest.open(Precision.FP32);
    }

    /** One value in two is dropped and the others doubled, which rounds nothing: the numbers are those of two calls. */
    @ParameterizedTest
    @CsvSource({"7, 16, 4, true", "9, 64, 32, false", "7, 12, 4, true", "2000, 8, 1, true", "5, 6, 2, true"})
    void dropoutInTheNormIsDropoutAfterIt(int length, int channels, int groups, boolean silu) {
        try (Backend backend = open();
                Scope scope = Scope.open("test")) {
            for (DType dtype : new DType[] {DType.F32, DType.BF16}) {
                if (!backend.supports(dtype)) continue;
                Rng rng = new Rng(5);
                Tensor x = rng.draw(Distribution.NORMAL, backend, dtype, Shape.of(2, length, channels));
                Tensor dy = rng.draw(Distribution.NORMAL, backend, dtype, x.shape());
                Tensor before = rng.draw(Distribution.NORMAL, backend, dtype, x.shape());
                Mask mask = new Mask(0.5, 3, 12);
                Tensor masked = dy.emptyLike();
                backend.dropout(mask, dy, masked);

                Tensor mean = x.emptyExact(Shape.of(2, groups));
                Tensor rstd = mean.emptyLike();
                NormParams p = new NormParams(groups, EPS, silu);
                Tensor[] y = {x.emptyLike(), x.emptyLike()};
                backend.groupNorm(p, mask, NormInputs.of(x), y[0], mean, rstd);
                backend.groupNorm(p, null, NormInputs.of(x), y[1], mean, rstd);
                backend.dropout(mask, y[1], y[1]);
                assertArrayEquals(y[1].toFloats(), y[0].toFloats(), 0);

                Tensor[] dx = {x.emptyLike(), x.emptyLike()};
                for (int i = 0; i < 2; i++)
                    backend.groupNormBackward(
                            p,
                            i == 0 ? mask : null,
                            NormInputs.of(x),
                            mean,
                            rstd,
                            i == 0 ? dy : masked,
                            new Tensor[] {before},
                            NormInputs.of(dx[i]));
                assertArrayEquals(dx[1].toFloats(), dx[0].toFloats(), 0);
            }
        }
    }

    /** So many images leave few threads to each, fewer than there are vectors in a pixel. */
    @Test
    void aPixelMayHaveMoreVectorsThanABlockHasThreads() {
        Shape shape = Shape.of(64, 15, 1024);
        float[][] results = new float[2][];
        for (int i = 0; i < 2; i++)
            try (Backend backend = i == 0 ? new ReferenceBackend() : CudaTest.open(Precision.BF16);
                    Scope scope = Scope.open("test")) {
                Rng rng = new Rng(5);
                Tensor x = rng.draw(Distribution.NORMAL, backend, DType.BF16, shape);
                Tensor dy = rng.draw(Distribution.NORMAL, backend, DType.BF16, shape);
                Tensor mean = x.emptyExact(Shape.of(64, 1));
                Tensor rstd = mean.emptyLike();
                Tensor dx = x.emptyLike();
                NormParams p = new NormParams(1, EPS, false);
                backend.groupNorm(p, null, NormInputs.of(x), x.emptyLike(), mean, rstd);
                Tensor[] before = {};
                backend.groupNormBackward(p, null, NormInputs.of(x), mean, rstd, dy, before, NormInputs.of(dx));
                results[i] = dx.toFloats();
            }
        assertArrayEquals(results[0], results[1], 0.04f);
    }

    /** Whichever of them a search finds fastest. */
    @ParameterizedTest
    @CsvSource({"FP32, 5e-6", "BF16, 0.015625"})
    void everyWayToLaunchALargeOneIsRight(Precision precision, double bound) {
        CudaTest.open(precision).close(); // or there is nothing to test
        NormTrials.Outcome found = NormTrials.run(precision, Shape.of(3, 1025, 128), 32, bound);
        assertEquals(List.of(), found.wrong());
        assertTrue(found.ways() > 20 && found.meetings() >= 4, found.toString());
    }

    @ParameterizedTest
    @CsvSource({"true", "false"})
    void meetingsAreForBlocksThatReadOnceAndCanBeTurnedOff(boolean meet) {
        System.setProperty(CudaBackend.MEET, Boolean.toString(meet));
        try (Backend opened = open();
                Scope scope = Scope.open("test")) {
            Tensor x = Tensor.empty(opened, DType.F32, Shape.of(8, 1025, 192));
            for (int groups : new int[] {32, 16}) // of 6 channels, and of 12
            for (boolean backward : new boolean[] {false, true}) {
                    NormParams p = new NormParams(groups, EPS, true);
                    List<NormLaunching> ways = ((CudaBackend) opened)
                            .norms()
                            .candidates(NormLaunching.Setting.of(p, x, backward, 0, false));
                    assertEquals(
                            meet && (backward || groups == 16),
                            ways.stream().anyMatch(NormLaunching::meeting),
                            groups + " groups, backward " + backward);
                }
        } finally {
            System.clearProperty(CudaBackend.MEET);
        }
    }

    /** y, dx and the sums of dx over the pixels. */
    private static float[][] large(Backend backend, NormParams p, Shape shape) {
        try (Scope scope = Scope.open("large")) {
            Rng rng = new Rng(5);
            Tensor x = rng.draw(Distribution.NORMAL, backend, DType.F32, shape);
            Tensor dy = rng.draw(Distribution.NORMAL, backend, DType.F32, shape);
            Tensor mean = x.empty(Shape.of(8, p.groups()));
            Tensor rstd = mean.emptyLike();
            Tensor y = x.emptyLike();
            Tensor offset = Tensor.full(backend, DType.F32, Shape.of(8, 128), 0.5);
            Tensor[] d = {x.emptyLike(), offset.emptyLike()};
            NormInputs in = new NormInputs(x, offset, null, null, null, null);
            backend.groupNorm(p, null, in, y, mean, rstd);
            NormInputs slopes = new NormInputs(d[0], d[1], null, null, null, null);
            backend.groupNormBackward(p, null, in, mean, rstd, dy, new Tensor[0], slopes);
            return new float[][] {y.toFloats(), d[0].toFloats(), d[1].toFloats()};
        }
    }

    @Test
    void aSearchIsRememberedAndGivesTheSameBitsAgain() {
        Shape shape = Shape.of(8, 1026, 128);
        NormParams p = new NormParams(1, EPS, true);
        float[][][] found = new float[2][][];
        for (int i = 0; i < 2; i++)
            try (Backend backend = open()) {
                found[i] = large(backend, p, shape);
                try (Engine engine = new Engine(Precision.FP32)) {
                    SearchFile file = SearchFile.ofUser("norms", engine.context(), CudaModules.version());
                    assertNotNull(file.get("forward-F32-8x1026x128-g1-b0"));
                    assertNotNull(file.get("backward-F32-8x1026x128-g1-b0-o"));
                }
            }
        for (int i = 0; i < 3; i++) assertArrayEquals(found[0][i], found[1][i]);
    }

    /** Other ways take room for sums of slices. */
    @Test
    void aSearchFindsTheUsualWayOnADeviceThatIsAlmostFull() {
        try (Backend backend = open();
                Scope scope = Scope.open("test")) {
            Tensor x = Tensor.full(backend, DType.F32, Shape.of(65, 16, 1024), 1);
            Tensor dx = x.emptyLike();
            Tensor mean = Tensor.full(backend, DType.F32, Shape.of(65, 1), 1);
            NormInputs in = NormInputs.of(x);
            Tensor[] before = {};
            NormParams p = new NormParams(1, EPS, false);
            try (Scope spare = Scope.open("spare")) {
                x.empty(Shape.of(1 << 18)); // 1 MiB, half of which is enough
                for (int size = 1 << 24; size >= 1 << 16; size >>= 1) CudaTest.fill(scope, x, size);
            }
            backend.groupNormBackward(p, null, in, mean, mean, x, before, NormInputs.of(dx));
            assertThrows(OutOfMemoryError.class, x::emptyLike);
        }
    }

    @Test
    void batchNormOverImagesTimesGroupsIsGroupNorm() {
        try (Backend opened = open();
                Engine engine = new Engine(Precision.FP32);
                Scope scope = Scope.open("test")) {
            Rng rng = new Rng(5);
            Tensor x = rng.draw(Distribution.NORMAL, opened, DType.F32, Shape.of(N, H, W, C));
            Tensor dy = rng.draw(Distribution.NORMAL, opened, DType.F32, x.shape());
            Tensor y = x.emptyLike();
            Tensor dx = x.emptyLike();
            Tensor mean = x.empty(Shape.of(N, G));
            Tensor rstd = x.empty(Shape.of(N, G));
            NormParams p = new NormParams(G, EPS, false);
            opened.groupNorm(p, null, NormInputs.of(x), y, mean, rstd);
            opened.groupNormBackward(p, null, NormInputs.of(x), mean, rstd, dy, new Tensor[0], NormInputs.of(dx));

            Tensor planes = channelsFirst(x);
            Tensor viewed = planes.emptyLike();
            Tensor slopes = planes.emptyLike();
            Tensor ones = Tensor.full(opened, DType.F32, Shape.of(N * G), 1);
            Tensor zeros = Tensor.full(opened, DType.F32, Shape.of(N * G), 0);
            Tensor means = ones.emptyLike();
            Tensor rstds = ones.emptyLike();
            opened.synchronize();
            try (Dnn dnn = new Dnn(engine.context())) {
                cudnnTensorDescriptor images = Dnn.planes(DType.F32, 1, N * G, C / G * H, W);
                cudnnTensorDescriptor channels = Dnn.planes(DType.F32, 1, N * G, 1, 1);
                Status.dnn(
                        cudnnBatchNormalizationForwardTraining(
                                dnn.handle(),
                                CUDNN_BATCHNORM_SPATIAL,
                                engine.one(),
                                engine.zero(),
                                images,
                                Engine.pointer(planes),
                                images,
                                Engine.pointer(viewed),
                                channels,
                                Engine.pointer(ones),
                                Engine.pointer(zeros),
                                0,
                                new Pointer(),
                                new Pointer(),
                                EPS,
                                Engine.pointer(means),
                                Engine.pointer(rstds)),
                        "batch norm");
                Status.dnn(
                        cudnnBatchNormalizationBackward(
                                dnn.handle(),
                                CUDNN_BATCHNORM_SPATIAL,
                                engine.one(),
                                engine.zero(),
                                engine.one(),
                                engine.zero(),
                                images,
                                Engine.pointer(planes),
                                images,
                                Engine.pointer(channelsFirst(dy)),
                                images,
                                Engine.pointer(slopes),
                                channels,
                                Engine.pointer(ones),
                                Engine.pointer(ones.emptyLike()),
                                Engine.pointer(ones.emptyLike()),
                                EPS,
                                Engine.pointer(means),
                                Engine.pointer(rstds)),
                        "batch norm, backward");
                engine.context().synchronize();
            }
            assertArrayEquals(viewed.toFloats(), channelsFirst(y).toFloats(), 2e-5f);
            assertArrayEquals(slopes.toFloats(), channelsFirst(dx).toFloats(), 2e-5f);
            assertArrayEquals(means.toFloats(), mean.toFloats(), 1e-6f);
            assertArrayEquals(rstds.toFloats(), rstd.toFloats(), 1e-5f);
        }
    }

    private static Tensor channelsFirst(Tensor x) {
        Tensor y = x.empty(Shape.of(N, C, H, W));
        x.backend().copy(Region.of(x).permute(0, 3, 1, 2), Region.of(y));
        x.backend().synchronize();
        return y;
    }
}
