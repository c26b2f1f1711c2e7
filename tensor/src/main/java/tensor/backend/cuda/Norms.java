package tensor.backend.cuda;

import static jcuda.driver.JCudaDriver.cuMemsetD32Async;

import java.util.List;
import java.util.function.Consumer;
import java.util.function.Function;
import tensor.Shape;
import tensor.Tensor;
import tensor.backend.Mask;
import tensor.backend.NormInputs;
import tensor.backend.NormParams;
import tensor.backend.ReduceOp;
import tensor.memory.Buffer;
import tensor.memory.Scope;

/**
 * Group norm, affine map, conditioning, SiLU and dropout by one kernel each way, channels last. For large tensors the first call
 * with a shape searches for the fastest way to launch it ({@link NormLaunching}), unless an earlier run has.
 */
final class Norms implements AutoCloseable {
    /** Values of x from which on a search is worth its time. */
    private static final int LARGE = 1 << 20;

    /** Of those who meet, and of places. */
    private static final int COUNTS = NormLaunching.MOST_MEETINGS + 1;

    private final Engine engine;
    private final Reductions reductions;
    private final Joins joins;
    private final Search<NormLaunching.Setting, NormLaunching> search;
    private final boolean meet;
    /** Zeros, where blocks that meet count themselves; they leave zeros. */
    private final long meetings;

    Norms(Engine engine, Reductions reductions, Joins joins) {
        this.engine = engine;
        this.reductions = reductions;
        this.joins = joins;
        meet = !"false".equals(System.getProperty(CudaBackend.MEET));
        // what is found without meetings is not what another run is to take
        search =
                new Search<>(engine, meet ? "norms" : "norms-apart", NormLaunching.Setting::word, NormLaunching::words);
        meetings = engine.context().allocate(4L * COUNTS);
        Status.driver(
                cuMemsetD32Async(
                        new Device(meetings), 0, COUNTS, engine.context().main()),
                "cuMemsetD32Async");
    }

    /** What x is made of; {@code null} where it is in one place, or brought there. */
    private static Joins.Joint joint(Tensor x) {
        Joins.Joint joint = Joins.of(x);
        if (joint == null) x.buffer().block();
        return joint;
    }

    /** How a call is launched. */
    private NormLaunching launching(NormLaunching.Setting setting, Tensor x, Consumer<NormLaunching> call) {
        return search.of(setting, x.shape().size() >= LARGE, () -> candidates(setting), call);
    }

    /** The ways to launch such a call, the usual one first. */
    List<NormLaunching> candidates(NormLaunching.Setting setting) {
        return NormLaunching.candidates(setting, engine.context(), meet);
    }

    /** From now on such calls are launched in this way. */
    void choose(NormLaunching.Setting setting, NormLaunching way) {
        search.choose(setting, way);
    }

    /** The arguments that all four kernels begin with. */
    private Launch begin(Kernel kernel, NormInputs in, Joins.Joint joint) {
        Launch launch = engine.launch(kernel, in.x().dtype());
        launch = joint == null
                ? launch.tensor(in.x()).address(0).integer(0)
                : launch.tensor(joint.first()).tensor(joint.second()).integer(joint.split());
        return launch.tensor(in.offset())
                .tensor(in.gamma())
                .tensor(in.beta())
                .tensor(in.scale())
                .tensor(in.shift());
    }

    /** {@link tensor.backend.Backend#groupNorm}. */
    void forward(NormParams p, Mask mask, NormInputs in, Tensor y, Tensor mean, Tensor rstd) {
        Joins.Joint joint = joint(in.x());
        Consumer<NormLaunching> call = launching -> launching.go(
                engine,
                meetings,
                () -> begin(launching.meeting() ? Kernel.GROUP_NORM_MEETING : Kernel.GROUP_NORM, in, joint)
                        .tensor(y)
                        .tensor(mean)
                        .tensor(rstd),
                launch -> launch.number(p.eps()).integer(p.silu()).mask(mask, engine.recording()));
        call.accept(launching(NormLaunching.Setting.of(p, in.x(), false, 0, false), in.x(), call));
    }

    /**
     * {@link tensor.backend.Backend#groupNormBackward}; dx is put off where x is, and its parts are written. dgamma and dbeta
     * are summed over the images later ({@link FinalSums}). The sums of dx over the pixels are left with it, unless dx has more in
     * it than doffset, which is then their sum over the slices.
     */
    void backward(
            NormParams p,
            Mask mask,
            NormInputs in,
            Tensor mean,
            Tensor rstd,
            Tensor dy,
            Tensor[] before,
            NormInputs d) {
        Tensor x = in.x();
        int images = x.shape().get(0);
        int channels = x.shape().get(-1);
        Joins.Joint joint = joint(x);
        Joins.Joint parts = joint == null ? null : joins.parts(d.x(), joint.split());
        Buffer partial = d.gamma() == null ? null : engine.scratch(8L * images * channels);
        Function<NormLaunching, Tensor> call = launching -> {
            Tensor left = x.emptyExact(Shape.of(images, launching.slices(), channels));
            launching.go(
                    engine,
                    meetings,
                    () -> begin(
                                    launching.meeting()
                                            ? Kernel.GROUP_NORM_BACKWARD_MEETING
                                            : Kernel.GROUP_NORM_BACKWARD,
                                    in,
                                    joint)
                            .tensor(mean)
                            .tensor(rstd)
                            .tensor(dy)
                            .tensor(before.length > 0 ? before[0] : null)
                            .tensor(before.length > 1 ? before[1] : null)
                            .tensor(parts == null ? d.x() : parts.first())
                            .tensor(parts == null ? null : parts.second())
                            .tensor(d.offset())
                            .tensor(left)
                            .address(partial == null ? 0 : partial.address())
                            .tensor(d.scale())
                            .tensor(d.shift()),
                    launch -> launch.integer(p.silu()).mask(mask, engine.recording()));
            if (d.offset() != null && launching.slices() > 1)
                reductions.reduce(
                        ReduceOp.SUM,
                        left,
                        left.shape(),
                        d.offset(),
                        left.shape().with(1, 1));
            return left;
        };
        try (Scope scope = Scope.open("sums")) {
            NormLaunching.Setting setting = NormLaunching.Setting.of(p, x, true, before.length, d.offset() != null);
            Tensor left = call.apply(launching(setting, x, candidate -> {
                try (Scope search = Scope.open("search")) {
                    call.apply(candidate);
                }
            }));
            if (d.offset() == null || before.length == 0) {
                PixelSums.leave(engine, parts == null ? d.x() : parts.first(), left, 0);
                if (parts != null) PixelSums.leave(engine, parts.second(), left, joint.split());
            }
        }
        if (partial == null) return;
        engine.sums().add(partial, images, d.gamma(), d.beta());
        partial.release();
    }

    @Override
    public void close() {
        engine.context().free(meetings, 4L * COUNTS);
    }
}
