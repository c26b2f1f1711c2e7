package bench.gpu;

import static bench.gpu.RawCuda.check;
import static jcuda.driver.JCudaDriver.cuMemGetInfo;
import static jcuda.jcudnn.JCudnn.*;

import bench.gpu.GpuCall.Kind;
import bench.gpu.RawCuda.Address;
import java.util.Arrays;
import java.util.Comparator;
import java.util.HashMap;
import java.util.Map;
import java.util.stream.Stream;
import jcuda.Pointer;
import jcuda.jcudnn.cudnnConvolutionBwdDataAlgoPerf;
import jcuda.jcudnn.cudnnConvolutionBwdFilterAlgoPerf;
import jcuda.jcudnn.cudnnConvolutionDescriptor;
import jcuda.jcudnn.cudnnConvolutionFwdAlgoPerf;
import jcuda.jcudnn.cudnnConvolutionMode;
import jcuda.jcudnn.cudnnDataType;
import jcuda.jcudnn.cudnnDeterminism;
import jcuda.jcudnn.cudnnFilterDescriptor;
import jcuda.jcudnn.cudnnTensorDescriptor;
import jcuda.jcudnn.cudnnTensorFormat;
import tensor.DType;
import tensor.Shape;
import tensor.Tensor;
import tensor.backend.cuda.ConvolutionAlgorithm;
import tensor.memory.Scope;

/**
 * A convolution, or one of its gradients, by cuDNN: channels last, by the algorithm that the backend {@code cuda} has chosen
 * for it, for two searches may choose differently. Where the backend does without cuDNN it is the fastest deterministic
 * algorithm that cuDNN finds in as much memory as the backend allows, a sixteenth of the device's and at most 2 GiB; each
 * call's search is made once in a process.
 */
final class RawConvolution implements AutoCloseable {
    private static final int PART = 16;
    private static final long LARGEST = 2L << 30;
    private static final int MOST = 10;
    private static final Map<GpuCall, ConvolutionAlgorithm> FOUND = new HashMap<>();

    /** One answer of a search: an algorithm, its time and the bytes it needs. */
    private record Trial(int algorithm, int status, float time, long bytes, int determinism) {}

    private final RawCuda cuda;
    private final GpuCall call;
    private final long room;
    private final cudnnTensorDescriptor x = new cudnnTensorDescriptor();
    private final cudnnTensorDescriptor y = new cudnnTensorDescriptor();
    private final cudnnFilterDescriptor w = new cudnnFilterDescriptor();
    private final cudnnConvolutionDescriptor convolution = new cudnnConvolutionDescriptor();

    RawConvolution(RawCuda cuda, GpuCall call) {
        this.cuda = cuda;
        this.call = call;
        long[] free = new long[1];
        long[] total = new long[1];
        check(cuMemGetInfo(free, total), "cuMemGetInfo");
        room = Math.min(LARGEST, total[0] / PART);
        describe(x, call.x());
        describe(y, call.y());
        check(cudnnCreateFilterDescriptor(w), "cudnnCreateFilterDescriptor");
        int layout = cudnnTensorFormat.CUDNN_TENSOR_NHWC;
        Shape s = call.w();
        check(
                cudnnSetFilter4dDescriptor(w, cuda.type(), layout, s.get(0), s.get(3), s.get(1), s.get(2)),
                "cudnnSetFilter4dDescriptor");
        check(cudnnCreateConvolutionDescriptor(convolution), "cudnnCreateConvolutionDescriptor");
        int pad = call.params().top();
        check(
                cudnnSetConvolution2dDescriptor(
                        convolution,
                        pad,
                        pad,
                        1,
                        1,
                        1,
                        1,
                        cudnnConvolutionMode.CUDNN_CROSS_CORRELATION,
                        cudnnDataType.CUDNN_DATA_FLOAT),
                "cudnnSetConvolution2dDescriptor");
        check(cudnnSetConvolutionMathType(convolution, cuda.math()), "cudnnSetConvolutionMathType");
    }

    private void describe(cudnnTensorDescriptor image, Shape s) {
        check(cudnnCreateTensorDescriptor(image), "cudnnCreateTensorDescriptor");
        int layout = cudnnTensorFormat.CUDNN_TENSOR_NHWC;
        check(
                cudnnSetTensor4dDescriptor(image, layout, cuda.type(), s.get(0), s.get(3), s.get(1), s.get(2)),
                "cudnnSetTensor4dDescriptor");
    }

    /**
     * Computes the one of x, w, y that the call is about from the two others; the workspace joins the innermost scope.
     *
     * @param chosen the algorithm, or {@code null} for the fastest
     */
    Runnable of(ConvolutionAlgorithm chosen, Tensor xs, Tensor ws, Tensor ys) {
        Address px = new Address(xs);
        Address pw = new Address(ws);
        Address py = new Address(ys);
        ConvolutionAlgorithm best = chosen != null
                ? chosen
                : FOUND.computeIfAbsent(call, c -> {
                    try (Scope scope = Scope.open("search")) {
                        return search(px, pw, py, new Address(bytes(xs, room)));
                    }
                });
        int algorithm = best.number();
        long bytes = best.workspace();
        Pointer workspace = bytes == 0 ? new Pointer() : new Address(bytes(xs, bytes));
        Pointer one = cuda.one();
        Pointer zero = cuda.zero();
        return switch (call.kind()) {
            case CONV2D ->
                () -> check(
                        cudnnConvolutionForward(
                                cuda.dnn(), one, x, px, w, pw, convolution, algorithm, workspace, bytes, zero, y, py),
                        "cudnnConvolutionForward");
            case CONV2D_BACKWARD_DATA ->
                () -> check(
                        cudnnConvolutionBackwardData(
                                cuda.dnn(), one, w, pw, y, py, convolution, algorithm, workspace, bytes, zero, x, px),
                        "cudnnConvolutionBackwardData");
            default ->
                () -> check(
                        cudnnConvolutionBackwardFilter(
                                cuda.dnn(), one, x, px, y, py, convolution, algorithm, workspace, bytes, zero, w, pw),
                        "cudnnConvolutionBackwardFilter");
        };
    }

    private static Tensor bytes(Tensor like, long bytes) {
        return Tensor.empty(like.backend(), DType.F32, Shape.of(Math.toIntExact((bytes + 3) / 4)));
    }

    private ConvolutionAlgorithm search(Pointer px, Pointer pw, Pointer py, Pointer workspace) {
        int[] n = new int[1];
        Stream<Trial> trials;
        if (call.kind() == Kind.CONV2D) {
            cudnnConvolutionFwdAlgoPerf[] found = new cudnnConvolutionFwdAlgoPerf[MOST];
            Arrays.setAll(found, i -> new cudnnConvolutionFwdAlgoPerf());
            check(
                    cudnnFindConvolutionForwardAlgorithmEx(
                            cuda.dnn(), x, px, w, pw, convolution, y, py, MOST, n, found, workspace, room),
                    "cudnnFindConvolutionForwardAlgorithmEx");
            trials = Arrays.stream(found, 0, n[0])
                    .map(f -> new Trial(f.algo, f.status, f.time, f.memory, f.determinism));
        } else if (call.kind() == Kind.CONV2D_BACKWARD_DATA) {
            cudnnConvolutionBwdDataAlgoPerf[] found = new cudnnConvolutionBwdDataAlgoPerf[MOST];
            Arrays.setAll(found, i -> new cudnnConvolutionBwdDataAlgoPerf());
            check(
                    cudnnFindConvolutionBackwardDataAlgorithmEx(
                            cuda.dnn(), w, pw, y, py, convolution, x, px, MOST, n, found, workspace, room),
                    "cudnnFindConvolutionBackwardDataAlgorithmEx");
            trials = Arrays.stream(found, 0, n[0])
                    .map(f -> new Trial(f.algo, f.status, f.time, f.memory, f.determinism));
        } else {
            cudnnConvolutionBwdFilterAlgoPerf[] found = new cudnnConvolutionBwdFilterAlgoPerf[MOST];
            Arrays.setAll(found, i -> new cudnnConvolutionBwdFilterAlgoPerf());
            check(
                    cudnnFindConvolutionBackwardFilterAlgorithmEx(
                            cuda.dnn(), x, px, y, py, convolution, w, pw, MOST, n, found, workspace, room),
                    "cudnnFindConvolutionBackwardFilterAlgorithmEx");
            trials = Arrays.stream(found, 0, n[0])
                    .map(f -> new Trial(f.algo, f.status, f.time, f.memory, f.determinism));
        }
        return trials.filter(
                        t -> t.status == 0 && t.determinism == cudnnDeterminism.CUDNN_DETERMINISTIC && t.bytes <= room)
                .min(Comparator.comparingDouble(Trial::time))
                .map(t -> new ConvolutionAlgorithm(t.algorithm, t.bytes, false, false))
                .orElseThrow(() -> new IllegalStateException("cuDNN has no deterministic algorithm for " + call));
    }

    @Override
    public void close() {
        check(cudnnDestroyTensorDescriptor(x), "cudnnDestroyTensorDescriptor");
        check(cudnnDestroyTensorDescriptor(y), "cudnnDestroyTensorDescriptor");
        check(cudnnDestroyFilterDescriptor(w), "cudnnDestroyFilterDescriptor");
        check(cudnnDestroyConvolutionDescriptor(convolution), "cudnnDestroyConvolutionDescriptor");
    }
}
