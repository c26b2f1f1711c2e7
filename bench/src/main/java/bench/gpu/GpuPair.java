package bench.gpu;

import static jcuda.jcudnn.JCudnn.cudnnDestroyTensorDescriptor;

import autograd.check.OpCase;
import jcuda.jcudnn.cudnnTensorDescriptor;
import tensor.Shape;
import tensor.Tensor;
import tensor.backend.Backend;
import tensor.backend.Conv2dParams;
import tensor.backend.NormInputs;
import tensor.backend.NormParams;
import tensor.backend.cuda.ConvolutionAlgorithm;
import tensor.backend.cuda.ConvolutionAlgorithm.Direction;
import tensor.backend.cuda.CudaBackend;
import tensor.memory.Scope;

/**
 * One call made ready twice, on the same random inputs and with an output each: by the backend {@code cuda}, and by the
 * library alone.
 */
final class GpuPair implements AutoCloseable {
    /** The norm of whole images. */
    private static final NormParams NORM = new NormParams(1, 1e-5, false);

    private static String slowed = "";

    private final Scope scope = Scope.open("pair");
    private final Backend backend;
    private final RawCuda cuda;
    private final Runnable ours;
    private final Runnable raw;
    private final Runnable release;
    private Tensor ourResult;
    private Tensor rawResult;

    /** From now on our calls with this text in their names are made twice, for the proof that somebody would notice. */
    static void slow(String text) {
        slowed = text;
    }

    /** Makes a call ready on a backend {@code cuda} of its precision; the first calls, which search, are made here. */
    GpuPair(GpuCall call, Backend backend, RawCuda cuda) {
        this.backend = backend;
        this.cuda = cuda;
        Tensor x = draw(call.x(), call, 1);
        Tensor w = draw(call.w(), call, 2);
        Tensor y = draw(call.y(), call, 3);
        switch (call.kind()) {
            case CONV2D, MATMUL, MATMUL_TRANSPOSED, SOFTMAX, GROUP_NORM, GROUP_NORM_BACKWARD -> {
                ourResult = y;
                rawResult = y.emptyLike();
            }
            case CONV2D_BACKWARD_DATA, SOFTMAX_BACKWARD -> {
                ourResult = x;
                rawResult = x.emptyLike();
            }
            case CONV2D_BACKWARD_WEIGHTS -> {
                ourResult = w;
                rawResult = w.emptyLike();
            }
        }
        Runnable once = ours(call, x, w, y);
        ours = slowed.isEmpty() || !call.toString().contains(slowed)
                ? once
                : () -> {
                    once.run();
                    once.run();
                };
        once.run(); // chooses the algorithm
        backend.synchronize(); // the inputs are there before another stream reads them
        if (call.kind().isConvolution()) {
            RawConvolution convolution = new RawConvolution(cuda, call);
            release = convolution::close;
            raw = convolution.of(chosen(call, x, w, y), orRaw(x), orRaw(w), orRaw(y));
        } else if (call.kind().isProduct()) {
            release = () -> {};
            raw = cuda.product(call.kind() == GpuCall.Kind.MATMUL_TRANSPOSED, x, w, rawResult);
        } else if (call.kind().isNorm()) {
            RawNorm norm = new RawNorm(cuda, x, NORM.eps());
            release = norm::close;
            Runnable forward = norm.forward(x, rawResult);
            backend.synchronize();
            forward.run();
            raw = call.kind() == GpuCall.Kind.GROUP_NORM ? forward : norm.backward(x, w, rawResult);
        } else {
            cudnnTensorDescriptor rows = cuda.rows(call.x());
            release = () -> RawCuda.check(cudnnDestroyTensorDescriptor(rows), "cudnnDestroyTensorDescriptor");
            raw = call.kind() == GpuCall.Kind.SOFTMAX
                    ? cuda.softmax(rows, x, rawResult)
                    : cuda.softmaxBackward(rows, y, w, rawResult);
        }
        ours.run();
        raw.run();
        backend.synchronize();
        cuda.synchronize();
    }

    private Tensor draw(Shape shape, GpuCall call, long seed) {
        return new OpCase.Input(shape, -1, 1, OpCase.Input.Role.VALUE)
                .draw(backend, call.precision().compute(), seed);
    }

    private ConvolutionAlgorithm chosen(GpuCall call, Tensor x, Tensor w, Tensor y) {
        Direction direction = switch (call.kind()) {
            case CONV2D_BACKWARD_DATA -> Direction.DATA;
            case CONV2D_BACKWARD_WEIGHTS -> Direction.FILTER;
            default -> Direction.FORWARD;
        };
        return ((CudaBackend) backend).algorithm(direction, call.params(), x, w, y);
    }

    private Tensor orRaw(Tensor t) {
        return t == ourResult ? rawResult : t;
    }

    private Runnable ours(GpuCall call, Tensor x, Tensor w, Tensor y) {
        Conv2dParams p = call.kind().isConvolution() ? call.params() : null;
        return switch (call.kind()) {
            case CONV2D -> () -> backend.conv2d(p, x, w, null, null, y);
            case CONV2D_BACKWARD_DATA -> () -> backend.conv2dBackwardData(p, w, y, x);
            case CONV2D_BACKWARD_WEIGHTS -> () -> backend.conv2dBackwardWeights(p, x, y, w, null);
            case MATMUL -> () -> backend.matmul(false, false, x, w, null, y);
            case MATMUL_TRANSPOSED -> () -> backend.matmul(false, true, x, w, null, y);
            case SOFTMAX -> () -> backend.softmax(2, x, y);
            case SOFTMAX_BACKWARD -> () -> backend.softmaxBackward(2, y, w, x);
            case GROUP_NORM, GROUP_NORM_BACKWARD -> {
                Tensor mean = x.emptyExact(Shape.of(x.shape().get(0), NORM.groups()));
                Tensor rstd = mean.emptyLike();
                NormInputs in = NormInputs.of(x);
                Runnable forward = () -> backend.groupNorm(NORM, null, in, y, mean, rstd);
                forward.run();
                yield call.kind() == GpuCall.Kind.GROUP_NORM
                        ? forward
                        : () -> backend.groupNormBackward(
                                NORM, null, in, mean, rstd, w, new Tensor[0], NormInputs.of(y));
            }
        };
    }

    /** Puts our call into the queue. */
    Runnable ours() {
        return ours;
    }

    /** Puts the library's call into its own queue. */
    Runnable raw() {
        return raw;
    }

    /** Waits for ours. */
    void awaitOurs() {
        backend.synchronize();
    }

    /** Waits for the library's. */
    void awaitRaw() {
        cuda.synchronize();
    }

    /** What we have computed. */
    Tensor ourResult() {
        return ourResult;
    }

    /** What the library has computed. */
    Tensor rawResult() {
        return rawResult;
    }

    @Override
    public void close() {
        awaitOurs();
        awaitRaw();
        release.run();
        scope.close();
    }
}
