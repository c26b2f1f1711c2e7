package tensor.backend.cuda;

import static jcuda.jcudnn.JCudnn.*;

import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import jcuda.Pointer;
import jcuda.jcudnn.cudnnActivationDescriptor;
import jcuda.jcudnn.cudnnConvolutionBwdDataAlgoPerf;
import jcuda.jcudnn.cudnnConvolutionBwdFilterAlgoPerf;
import jcuda.jcudnn.cudnnConvolutionDescriptor;
import jcuda.jcudnn.cudnnConvolutionFwdAlgo;
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
    /** The only algorithm that adds a bias and no activation. */
    private static final int ADDING = cudnnConvolutionFwdAlgo.CUDNN_CONVOLUTION_FWD_ALGO_IMPLICIT_PRECOMP_GEMM;
    /** Algorithms of a search that are timed again. */
    private static final int CANDIDATES = 3;

    private final Engine engine;
    private final Dnn dnn;
    private final Direction direction;
    private final cudnnTensorDescriptor x;
    private final cudnnTensorDescriptor y;
    private final cudnnFilterDescriptor w;
    private final cudnnConvolutionDescriptor convolution;
    private final cudnnTensorDescriptor bias;
    private final cudnnActivationDescriptor identity;
    private final boolean turned;
    private ConvolutionAlgorithm algorithm;

    /** For a direction and geometry as they are; {@code turned} says whether they are the opposite of what is asked for. */
    ConvolutionPlan(Engine engine, Dnn dnn, Direction direction, Geometry g, int math, boolean turned) {
        this.engine = engine;
        this.dnn = dnn;
        this.direction = direction;
        this.turned = turned;
        x = Dnn.image(g.dtype(), g.n(), g.h(), g.w(), g.c());
        y = Dnn.image(g.dtype(), g.n(), g.p(), g.q(), g.k());
        w = Dnn.filter(g.dtype(), g.k(), g.r(), g.s(), g.c() / g.groups());
        convolution = Dnn.convolution(g.padH(), g.padW(), g.stride(), g.groups(), math);
        bias = Dnn.image(g.dtype(), 1, 1, 1, g.k());
        identity = Dnn.identity();
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
        algorithm = new ConvolutionAlgorithm(
                known.number(), Math.max(known.workspace(), bytes[0]), known.turned(), known.addsBias());
        return true;
    }

    /**
     * Times every algorithm on these tensors, the one of which that is computed it overwrites, and keeps the fastest. cuDNN runs
     * each once; the first few of its list are timed again, as they will run.
     *
     * @param room bytes of {@code workspace}
     * @return its time in milliseconds; infinite when there is none
     */
    float search(Pointer xs, Pointer ws, Pointer ys, Pointer workspace, long room) {
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
        List<Trial> candidates = Arrays.stream(trials)
                .filter(t -> t.status == 0 && t.determinism == cudnnDeterminism.CUDNN_DETERMINISTIC && t.memory <= room)
                .sorted(Comparator.comparingDouble(Trial::time))
                .limit(CANDIDATES)
                .toList();
        float least = Float.POSITIVE_INFINITY;
        ConvolutionAlgorithm fastest = null;
        for (Trial t : candidates) {
            if (!accept(new ConvolutionAlgorithm(t.algorithm, t.memory, turned, false))) continue;
            float time = RecordedTime.of(engine.context(), () -> compute(xs, ws, ys, workspace));
            if (time >= least) continue;
            least = time;
            fastest = algorithm;
        }
        algorithm = fastest;
        return least;
    }

    /** One answer of a search. Its kind of arithmetic is left out: the bridge does not fill it in for two of the calls. */
    private record Trial(int algorithm, int status, float time, long memory, int determinism) {}

    /**
     * Finds out whether a bias is best added by the same call, which cuDNN can do in one algorithm, and for some shapes by slow
     * kernels only.
     *
     * @param alone milliseconds of the convolution alone
     * @param adding those of a pass over y that adds
     * @param values a bias for the trial
     * @return milliseconds of the convolution with a bias
     */
    float withBias(float alone, float adding, Pointer xs, Pointer ws, Pointer values, Pointer ys, Pointer workspace) {
        float together = algorithm.number() != ADDING
                ? Float.POSITIVE_INFINITY
                : RecordedTime.of(engine.context(), () -> forward(xs, ws, values, null, ys, workspace));
        boolean adds = together < alone + adding;
        algorithm = new ConvolutionAlgorithm(algorithm.number(), algorithm.workspace(), algorithm.turned(), adds);
        return Math.min(together, alone + adding);
    }

    /** Whether it is of the opposite direction of what is asked for: x and y change places, and the filters are turned round. */
    boolean isTurned() {
        return turned;
    }

    /** Whether a bias is best added by the same call. */
    boolean addsBias() {
        return algorithm != null && algorithm.addsBias();
    }

    ConvolutionAlgorithm algorithm() {
        return algorithm;
    }

    /** Bytes that {@link #run} needs beside the tensors. */
    long workspace() {
        return algorithm.workspace();
    }

    /** Computes the one of x, w, y that the direction names from the two others. */
    void run(Pointer xs, Pointer ws, Pointer ys, Pointer workspace) {
        Status.dnn(compute(xs, ws, ys, workspace), "convolution, " + direction);
    }

    private int compute(Pointer xs, Pointer ws, Pointer ys, Pointer workspace) {
        return switch (direction) {
            case FORWARD -> forward(xs, ws, ys, workspace);
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
    }

    /** y ← x ∗ w + bias + z, in one call; z may be {@code null}. For an algorithm that adds a bias. */
    void run(Pointer xs, Pointer ws, Pointer biases, Pointer zs, Pointer ys, Pointer workspace) {
        Status.dnn(forward(xs, ws, biases, zs, ys, workspace), "convolution with bias");
    }

    private int forward(Pointer xs, Pointer ws, Pointer ys, Pointer workspace) {
        return cudnnConvolutionForward(
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
    }

    private int forward(Pointer xs, Pointer ws, Pointer biases, Pointer zs, Pointer ys, Pointer workspace) {
        return cudnnConvolutionBiasActivationForward(
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
                zs == null ? engine.zero() : engine.one(),
                y,
                zs == null ? ys : zs,
                bias,
                biases,
                identity,
                y,
                ys);
    }

    @Override
    public void close() {
        Status.dnn(cudnnDestroyTensorDescriptor(x), "cudnnDestroyTensorDescriptor");
        Status.dnn(cudnnDestroyTensorDescriptor(y), "cudnnDestroyTensorDescriptor");
        Status.dnn(cudnnDestroyTensorDescriptor(bias), "cudnnDestroyTensorDescriptor");
        Status.dnn(cudnnDestroyActivationDescriptor(identity), "cudnnDestroyActivationDescriptor");
        Status.dnn(cudnnDestroyFilterDescriptor(w), "cudnnDestroyFilterDescriptor");
        Status.dnn(cudnnDestroyConvolutionDescriptor(convolution), "cudnnDestroyConvolutionDescriptor");
    }
}
