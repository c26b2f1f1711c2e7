package tensor.backend.cuda;

import java.util.function.Supplier;
import java.util.function.UnaryOperator;
import tensor.DType;
import tensor.Shape;
import tensor.Tensor;
import tensor.backend.Mask;
import tensor.backend.NormInputs;
import tensor.backend.NormParams;
import tensor.backend.ReduceOp;
import tensor.memory.Buffer;
import tensor.memory.Scope;

/**
 * Group norm, affine map, conditioning, SiLU and dropout by one kernel each way, channels last. A thread block takes a bundle of
 * neighbouring groups of one image. Where two blocks fit a multiprocessor with all they need in registers, each reads it once;
 * larger images are read twice, the second time mostly from the second-level cache, which is faster than blocks that fill a
 * multiprocessor alone or read shorter runs of channels: 54 µs instead of 72, backward, for 128 channels at 32x32.
 */
final class Norms {
    /** Fewest bytes of neighbouring channels that a block should read. */
    private static final int RUN = 64;
    /** Vectors of 16 bytes that a thread can hold, forward; HELD of norm.h. */
    private static final int HELD = 8;
    /** The same of x and of dy, backward; HELD_PAIRS of norm.h. */
    private static final int HELD_PAIRS = 4;
    /** Threads that a multiprocessor has registers for, in one block or several. */
    private static final int THREADS = 1024;
    /** So few blocks leave a large device idle, where each is more than its threads can hold … */
    private static final int FEW_BLOCKS = 256;
    /** … for a time that is worth a second launch when each has so many values: the pixels are cut into slices … */
    private static final int LONG = 16384;
    /** … of about so many values … */
    private static final int SLICE = 4096;
    /** … and at most so many of them, since every block adds up the sums of all. */
    private static final int MOST_SLICES = 8;

    private static final int WHOLE = 0; // as enum NormPhase
    private static final int SUMS = 1;
    private static final int APPLY = 2;

    private final Engine engine;
    private final Reductions reductions;
    private final Joins joins;

    Norms(Engine engine, Reductions reductions, Joins joins) {
        this.engine = engine;
        this.reductions = reductions;
        this.joins = joins;
    }

    /** How the kernels are launched for one shape. */
    private record Launching(
            int images, int length, int depth, int groups, int bundle, int slices, int block, int shared) {
        /**
         * Chooses.
         *
         * @param held vectors of x that a thread can hold
         * @param twice threads of a block that reads x twice; 0 for as many as let the device hold all blocks at once
         */
        static Launching of(NormParams p, Tensor x, int held, int twice, CudaContext device) {
            int images = x.shape().get(0);
            int channels = x.shape().get(-1);
            int length = x.shape().size() / images / channels;
            int groups = p.groups();
            int depth = channels / groups;
            int most = 16 / x.dtype().bytes();
            int bundle = bundle(RUN / x.dtype().bytes(), depth, groups, most);
            int run = bundle * depth;
            int last = groups % bundle * depth;
            int vector = most;
            while (run % vector != 0 || last % vector != 0) vector = vector > 4 ? 4 : 1;
            int columns = run / vector;
            int bundles = images * ((groups + bundle - 1) / bundle);
            long work = (long) length * run;

            int slices = 1;
            if (threads(length, held, columns) > THREADS && bundles <= FEW_BLOCKS && work >= LONG)
                slices = (int) Math.min(MOST_SLICES, work / SLICE);
            int pixels = (length + slices - 1) / slices;
            long blocks = (long) bundles * slices;
            int multiprocessors = device.multiprocessors();
            // as many threads as can be on the device with those of all other blocks, and enough to hold everything
            long fill = THREADS / Math.min(THREADS / 64, (blocks + multiprocessors - 1) / multiprocessors) / 32 * 32;
            long least = slices == 1 ? threads(pixels, held, columns) : 64;
            long useful = threads(pixels, 1, columns);
            boolean once = least <= THREADS / 2;
            int block = (int) Math.min(useful, once ? Math.max(least, fill) : twice == 0 ? fill : twice);
            int shared = shared(block, run, most);
            while (block > 64 && shared > device.sharedLimit() - 4096) { // as Kernels allows
                block = block / 64 * 32;
                shared = shared(block, run, most);
            }
            return new Launching(images, length, depth, groups, bundle, slices, block, shared);
        }

        /** Bytes of shared memory of a block; fewer threads than vectors of a pixel need more for their sums than these hold. */
        private static int shared(int block, int run, int vector) {
            return 4 * (Math.max((2 * vector + 1) * block, 2 * run) + 12 * run + 64);
        }

        /** The fewest groups with so many channels or more that are a whole number of vectors. */
        private static int bundle(int least, int depth, int groups, int vector) {
            int bundle = 1;
            while (bundle < groups && (bundle * depth < least || bundle * depth % vector != 0)) bundle++;
            return bundle;
        }

        /** Threads, in whole warps, that hold {@code pixels} if each has {@code held} of them in its column. */
        private static long threads(int pixels, int held, int columns) {
            return (((pixels + held - 1L) / held) * columns + 31) / 32 * 32;
        }

        private int channels() {
            return depth * groups;
        }

        /**
         * One launch, or one for the sums of the slices and one that uses them.
         *
         * @param tensors begins the arguments
         * @param rest ends them
         */
        void go(Engine engine, Supplier<Launch> tensors, UnaryOperator<Launch> rest) {
            Buffer sums = slices == 1 ? null : engine.scratch(8L * images * slices * channels());
            for (int phase : slices == 1 ? new int[] {WHOLE} : new int[] {SUMS, APPLY})
                rest.apply(tensors.get()
                                .address(sums == null ? 0 : sums.address())
                                .integer(phase)
                                .integer(length)
                                .integer(depth)
                                .integer(groups)
                                .integer(bundle))
                        .grid((groups + bundle - 1) / bundle, images, slices, block, 1, shared);
            if (sums != null) sums.release();
        }
    }

    /** What x is made of; {@code null} where it is in one place, or brought there. */
    private static Joins.Joint joint(Tensor x) {
        Joins.Joint joint = Joins.of(x);
        if (joint == null) x.buffer().block();
        return joint;
    }

    /** The arguments that both kernels begin with. */
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
        Launching l = Launching.of(p, in.x(), HELD, THREADS / 2, engine.context());
        Joins.Joint joint = joint(in.x());
        l.go(
                engine,
                () -> begin(Kernel.GROUP_NORM, in, joint).tensor(y).tensor(mean).tensor(rstd),
                launch -> launch.number(p.eps()).integer(p.silu()).mask(mask, engine.recording()));
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
        int twice = x.dtype() == DType.BF16 ? 0 : THREADS;
        Launching l = Launching.of(p, x, HELD_PAIRS, twice, engine.context());
        Joins.Joint joint = joint(x);
        Joins.Joint parts = joint == null ? null : joins.parts(d.x(), joint.split());
        Buffer partial = d.gamma() == null ? null : engine.scratch(8L * l.images * l.channels());
        try (Scope scope = Scope.open("sums")) {
            Tensor left = x.emptyExact(Shape.of(l.images, l.slices, l.channels()));
            l.go(
                    engine,
                    () -> begin(Kernel.GROUP_NORM_BACKWARD, in, joint)
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
            if (d.offset() != null && l.slices > 1)
                reductions.reduce(
                        ReduceOp.SUM,
                        left,
                        left.shape(),
                        d.offset(),
                        left.shape().with(1, 1));
            if (d.offset() == null || before.length == 0) {
                PixelSums.leave(engine, parts == null ? d.x() : parts.first(), left, 0);
                if (parts != null) PixelSums.leave(engine, parts.second(), left, joint.split());
            }
        }
        if (partial == null) return;
        engine.sums().add(partial, l.images, d.gamma(), d.beta());
        partial.release();
    }
}
