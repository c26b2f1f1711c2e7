package tensor.backend.cuda;

import static jcuda.jcudnn.JCudnn.*;

import java.util.Arrays;
import java.util.Comparator;
import jcuda.Pointer;
import jcuda.jcudnn.cudnnConvolutionBwdDataAlgoPerf;
import jcuda.jcudnn.cudnnConvolutionBwdFilterAlgoPerf;
import jcuda.jcudnn.cudnnConvolutionDescriptor;
import jcuda.jcudnn.cudnnConvolutionFwdAlgoPerf;
import jcuda.jcudnn.cudnnDeterminism;
import jcuda.jcudnn.cudnnFilterDescriptor;
import jcuda.jcudnn.cudnnTensorDescriptor;
import tensor.backend.cuda.ConvolutionAlgorithm.Direction;

/**
 * One convolution, or one of its gradients, for one shape: what cuDNN has to be told, and the algorithm that it found to
 * be the fastest here. Only algorithms whose sums come out the same each time are taken: a resumed run must be the same
 * run.
 */
final class ConvolutionPlan implements AutoCloseable {
    /** Answers of one search that are looked at. */
    private static final int MOST = 10;

    private final Engine engine;
    private final Dnn dnn;
    private final Direction direction;
    private final cudnnTensorDescriptor x;
    private final cudnnTensorDescriptor y;
    private final cudnnFilterDescriptor w;
    private final cudnnConvolutionDescriptor convolution;
    private ConvolutionAlgorithm algorithm;

    ConvolutionPlan(Engine engine, Dnn dnn, Direction direction, Geometry g, int math) {
        this.engine = engine;
        this.dnn = dnn;
        this.direction = direction;
        x = Dnn.image(g.dtype(), g.n(), g.h(), g.w(), g.c());
        y = Dnn.image(g.dtype(), g.n(), g.p(), g.q(), g.k());
        w = Dnn.filter(g.dtype(), g.k(), g.r(), g.s(), g.c() / g.groups());
        convolution = Dnn.convolution(g.padH(), g.padW(), g.stride(), g.groups(), math);
    }

    /** Takes an algorithm that an earlier run has found, if this cuDNN takes it for this shape. */
    boolean accept(ConvolutionAlgorithm known) {
        long[] bytes = new long[1];
        int status = switch (direction) {
            case FORWARD ->
                cudnnGetConvolutionForwardWorkspaceSize(dnn.handle(), x, w, convolution, y, known.number(), bytes);
            case DATA ->
                cudnnGetConvolutionBackwardDataWorkspaceSize(dnn.handle(), w, y, convolution, x, known.number(), bytes);
            case FILTER ->
                cudnnGetConvolutionBackwardFilterWorkspaceSize(
                        dnn.handle(), x, y, convolution, w, known.number(), bytes);
        };
        if (status != 0) return false;
        algorithm = new ConvolutionAlgorithm(known.number(), Math.max(known.workspace(), bytes[0]));
        return true;
    }

    /**
     * Times every algorithm on these tensors, the last of which it overwrites, and keeps the fastest.
     *
     * @param room bytes of {@code workspace}
     * @throws IllegalStateException when there is none
     */
    ConvolutionAlgorithm search(Pointer xs, Pointer ws, Pointer ys, Pointer workspace, long room, String what) {
        int[] count = new int[1];
        Trial[] trials;
        switch (direction) {
            case FORWARD -> {
                cudnnConvolutionFwdAlgoPerf[] found = new cudnnConvolutionFwdAlgoPerf[MOST];
                Arrays.setAll(found, i -> new cudnnConvolutionFwdAlgoPerf());
                Status.dnn(
                        cudnnFindConvolutionForwardAlgorithmEx(
                                dnn.handle(), x, xs, w, ws, convolution, y, ys, MOST, count, found, workspace, room),
                        "cudnnFindConvolutionForwardAlgorithmEx");
                trials = Arrays.stream(found, 0, count[0])
                        .map(f -> new Trial(f.algo, f.status, f.time, f.memory, f.determinism))
                        .toArray(Trial[]::new);
            }
            case DATA -> {
                cudnnConvolutionBwdDataAlgoPerf[] found = new cudnnConvolutionBwdDataAlgoPerf[MOST];
                Arrays.setAll(found, i -> new cudnnConvolutionBwdDataAlgoPerf());
                Status.dnn(
                        cudnnFindConvolutionBackwardDataAlgorithmEx(
                                dnn.handle(), w, ws, y, ys, convolution, x, xs, MOST, count, found, workspace, room),
                        "cudnnFindConvolutionBackwardDataAlgorithmEx");
                trials = Arrays.stream(found, 0, count[0])
                        .map(f -> new Trial(f.algo, f.status, f.time, f.memory, f.determinism))
                        .toArray(Trial[]::new);
            }
            default -> {
                cudnnConvolutionBwdFilterAlgoPerf[] found = new cudnnConvolutionBwdFilterAlgoPerf[MOST];
                Arrays.setAll(found, i -> new cudnnConvolutionBwdFilterAlgoPerf());
                Status.dnn(
                        cudnnFindConvolutionBackwardFilterAlgorithmEx(
                                dnn.handle(), x, xs, y, ys, convolution, w, ws, MOST, count, found, workspace, room),
                        "cudnnFindConvolutionBackwardFilterAlgorithmEx");
                trials = Arrays.stream(found, 0, count[0])
                        .map(f -> new Trial(f.algo, f.status, f.time, f.memory, f.determinism))
                        .toArray(Trial[]::new);
            }
        }
        Trial best = Arrays.stream(trials)
                .filter(t -> t.status == 0 && t.determinism == cudnnDeterminism.CUDNN_DETERMINISTIC && t.memory <= room)
                .min(Comparator.comparingDouble(Trial::time))
                .orElseThrow(() -> new IllegalStateException("cuDNN " + Dnn.version()
                        + " has no deterministic algorithm within " + (room >> 20) + " MiB for " + what));
        if (!accept(new ConvolutionAlgorithm(best.algorithm, best.memory)))
            throw new IllegalStateException("cuDNN " + Dnn.version() + " found algorithm " + best.algorithm + " for "
                    + what + " and then did not take it");
        return algorithm;
    }

    /** One answer of a search. Its kind of arithmetic is left out: the bridge does not fill it in for two of the calls. */
    private record Trial(int algorithm, int status, float time, long memory, int determinism) {}

    ConvolutionAlgorithm algorithm() {
        return algorithm;
    }

    /** Bytes that {@link #run} needs beside the tensors. */
    long workspace() {
        return algorithm.workspace();
    }

    /** Computes the one of x, w, y that the direction names from the two others. */
    void run(Pointer xs, Pointer ws, Pointer ys, Pointer workspace) {
        int status = switch (direction) {
            case FORWARD ->
                cudnnConvolutionForward(
                        dnn.handle(),
                        engine.one(),
                        x,
                        xs,
                        w,
                        ws,
                        convolution,
                        algorithm.number(),
                        workspace,
                        algorithm.workspace(),
                        engine.zero(),
                        y,
                        ys);
            case DATA ->
                cudnnConvolutionBackwardData(
                        dnn.handle(),
                        engine.one(),
                        w,
                        ws,
                        y,
                        ys,
                        convolution,
                        algorithm.number(),
                        workspace,
                        algorithm.workspace(),
                        engine.zero(),
                        x,
                        xs);
            case FILTER ->
                cudnnConvolutionBackwardFilter(
                        dnn.handle(),
                        engine.one(),
                        x,
                        xs,
                        y,
                        ys,
                        convolution,
                        algorithm.number(),
                        workspace,
                        algorithm.workspace(),
                        engine.zero(),
                        w,
                        ws);
        };
        Status.dnn(status, "convolution, " + direction);
    }

    @Override
    public void close() {
        Status.dnn(cudnnDestroyTensorDescriptor(x), "cudnnDestroyTensorDescriptor");
        Status.dnn(cudnnDestroyTensorDescriptor(y), "cudnnDestroyTensorDescriptor");
        Status.dnn(cudnnDestroyFilterDescriptor(w), "cudnnDestroyFilterDescriptor");
        Status.dnn(cudnnDestroyConvolutionDescriptor(convolution), "cudnnDestroyConvolutionDescriptor");
    }
}
