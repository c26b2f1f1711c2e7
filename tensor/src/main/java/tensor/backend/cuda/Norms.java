package tensor.backend.cuda;

import java.util.List;
import java.util.function.Supplier;
import java.util.function.UnaryOperator;
import tensor.DType;
import tensor.Shape;
import tensor.Tensor;
import tensor.backend.Mask;
import tensor.backend.NormParams;
import tensor.backend.ReduceOp;
import tensor.memory.Buffer;

/**
 * Group norm, affine map, conditioning, SiLU and dropout by one kernel each way, channels last. A thread block takes a
 * bundle of neighbouring groups of one image, and each of its threads, if it can, all it needs into registers at once, so
 * that what is normalised is read once.
 */
final class Norms {
    /** Fewest bytes of neighbouring channels that a block should read … */
    private static final int RUN = 64;
    /** … and where two blocks of such runs do not fit a multiprocessor at once: what memory hands out at least. */
    private static final int SHORT_RUN = 32;
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

    Norms(Engine engine, Reductions reductions) {
        this.engine = engine;
        this.reductions = reductions;
    }

    /** How the kernels are launched for one shape. */
    private record Launching(
            int images,
            int length,
            int depth,
            int groups,
            int bundle,
            int slices,
            int block,
            int shared,
            boolean whole) {
        /**
         * Chooses all but {@code whole}, which says whether threads then hold everything.
         *
         * @param held vectors of x that a thread can hold
         */
        static Launching of(NormParams p, Tensor x, int held, CudaContext device) {
            int images = x.shape().get(0);
            int channels = x.shape().get(-1);
            int length = x.shape().size() / images / channels;
            int groups = p.groups();
            int depth = channels / groups;
            int most = 16 / x.dtype().bytes();
            int bundle = bundle(RUN / x.dtype().bytes(), depth, groups, most);
            if ((long) length * bundle * depth > (long) most * held * THREADS / 2)
                bundle = bundle(SHORT_RUN / x.dtype().bytes(), depth, groups, most);
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
            int block = (int) (least > THREADS ? THREADS / 2 : Math.min(useful, Math.max(least, fill)));
            int shared = shared(block, run, most);
            while (block > 64 && shared > device.sharedLimit() - 4096) { // as Kernels allows
                block = block / 64 * 32;
                shared = shared(block, run, most);
            }
            boolean whole =
                    slices == 1 && vector == most && columns <= block && length <= (long) held * (block / columns);
            return new Launching(images, length, depth, groups, bundle, slices, block, shared, whole);
        }

        /** Bytes of shared memory of a block. */
        private static int shared(int block, int run, int vector) {
            return 4 * ((2 * vector + 1) * block + 12 * run + 64);
        }

        /**
         * The vectors for which each thread keeps dz as floats in shared memory, so that the slope of SiLU is computed once: all
         * that it has, or 0 where that is of no use, or would leave far fewer blocks beside each other on a multiprocessor.
         */
        int kept(NormParams p, DType dtype, CudaContext device) {
            if (!whole || !p.silu() || dtype != DType.BF16) return 0;
            int rows = block / (bundle * depth * dtype.bytes() / 16);
            int vectors = (length + rows - 1) / rows;
            int more = shared + keptBytes(vectors);
            boolean fits = more <= device.sharedLimit() - 4096; // as Kernels allows
            return fits && 8 * beside(more, device) >= 7 * beside(shared, device) ? vectors : 0;
        }

        /** Blocks with so many bytes of shared memory that a multiprocessor takes, each with 1 KiB for the driver. */
        private int beside(int bytes, CudaContext device) {
            return Math.min(THREADS / block, device.sharedOfMultiprocessor() / (bytes + 1024));
        }

        /** Bytes of so many vectors as floats. */
        private int keptBytes(int vectors) {
            return 4 * 8 * vectors * block;
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
         * @param kept vectors of dz for which there is shared memory
         * @param tensors begins the arguments
         * @param rest ends them
         */
        void go(Engine engine, int kept, Supplier<Launch> tensors, UnaryOperator<Launch> rest) {
            Buffer sums = slices == 1 ? null : engine.scratch(8L * images * slices * channels());
            for (int phase : slices == 1 ? new int[] {WHOLE} : new int[] {SUMS, APPLY})
                rest.apply(tensors.get()
                                .address(sums == null ? 0 : sums.address())
                                .integer(phase)
                                .integer(length)
                                .integer(depth)
                                .integer(groups)
                                .integer(bundle))
                        .grid((groups + bundle - 1) / bundle, images, slices, block, 1, shared + keptBytes(kept));
            if (sums != null) sums.release();
        }
    }

    /** {@link tensor.backend.Backend#groupNorm}. */
    void forward(
            NormParams p,
            Mask mask,
            Tensor x,
            Tensor offset,
            Tensor gamma,
            Tensor beta,
            Tensor scale,
            Tensor shift,
            Tensor y,
            Tensor mean,
            Tensor rstd) {
        Launching l = Launching.of(p, x, HELD, engine.context());
        l.go(
                engine,
                0,
                () -> engine.launch(Kernel.GROUP_NORM, x.dtype())
                        .tensor(x)
                        .tensor(offset)
                        .tensor(gamma)
                        .tensor(beta)
                        .tensor(scale)
                        .tensor(shift)
                        .tensor(y)
                        .tensor(mean)
                        .tensor(rstd),
                launch -> launch.number(p.eps()).integer(p.silu()).mask(mask, engine.recording()));
    }

    /**
     * {@link tensor.backend.Backend#groupNormBackward}; dgamma and dbeta are summed over the images by a second kernel. Where
     * threads do not hold everything, doffset is, too, and what came before is added by others.
     */
    void backward(
            NormParams p,
            Mask mask,
            Tensor x,
            Tensor offset,
            Tensor gamma,
            Tensor beta,
            Tensor scale,
            Tensor shift,
            Tensor mean,
            Tensor rstd,
            Tensor dy,
            Tensor[] before,
            Tensor dx,
            Tensor doffset,
            Tensor dgamma,
            Tensor dbeta,
            Tensor dscale,
            Tensor dshift) {
        Launching l = Launching.of(p, x, HELD_PAIRS, engine.context());
        int kept = l.kept(p, x.dtype(), engine.context());
        Buffer partial = dgamma == null ? null : engine.scratch(8L * l.images * l.channels());
        l.go(
                engine,
                kept,
                () -> engine.launch(Kernel.GROUP_NORM_BACKWARD, x.dtype())
                        .tensor(x)
                        .tensor(offset)
                        .tensor(gamma)
                        .tensor(beta)
                        .tensor(scale)
                        .tensor(shift)
                        .tensor(mean)
                        .tensor(rstd)
                        .tensor(dy)
                        .tensor(l.whole && before.length > 0 ? before[0] : null)
                        .tensor(l.whole && before.length > 1 ? before[1] : null)
                        .tensor(dx)
                        .tensor(l.whole ? doffset : null)
                        .address(partial == null ? 0 : partial.address())
                        .tensor(dscale)
                        .tensor(dshift),
                launch -> launch.integer(p.silu()).integer(kept).mask(mask, engine.recording()));
        if (!l.whole) {
            Shape pixels = Shape.of(l.images, l.length, l.channels());
            if (doffset != null) reductions.reduce(ReduceOp.SUM, dx, pixels, doffset, pixels.with(1, 1));
            for (Tensor b : before) engine.addBias(dx, null, b);
        }
        if (partial == null) return;
        engine.side()
                .run(
                        () -> engine.launch(Kernel.GROUP_NORM_PARAMETERS, x.dtype())
                                .address(partial.address())
                                .tensor(dgamma)
                                .tensor(dbeta)
                                .integer(l.images)
                                .integer(l.channels())
                                .grid((2 * l.channels() + 31) / 32, 1, 32, 32, 0),
                        List.of(partial),
                        List.of(dgamma.buffer(), dbeta.buffer()));
        partial.release();
    }
}
