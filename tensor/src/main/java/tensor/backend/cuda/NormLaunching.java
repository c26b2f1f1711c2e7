package tensor.backend.cuda;

import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import java.util.function.Supplier;
import java.util.function.UnaryOperator;
import tensor.DType;
import tensor.Tensor;
import tensor.backend.NormParams;
import tensor.memory.Buffer;

/**
 * How the kernels of group norm are launched for one shape. A thread block takes a bundle of neighbouring groups of one image,
 * or of a slice of its pixels; it reads its share once where it can hold it in registers, else twice ({@code kernels.h} says
 * when). Slices take two launches, the sums of all before the first of them is used, or their blocks meet in the middle of one.
 *
 * @param images in x
 * @param length pixels of an image
 * @param depth channels of a group
 * @param groups of an image
 * @param bundle groups of a block
 * @param slices of an image
 * @param block threads of a block
 * @param shared bytes of shared memory of a block
 * @param meeting whether the blocks of the slices meet
 */
record NormLaunching(
        int images, int length, int depth, int groups, int bundle, int slices, int block, int shared, boolean meeting) {
    /** Meetings of one launch at most. */
    static final int MOST_MEETINGS = 1 << 16;

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
    /** Pixels of a slice that are worth looking for. */
    private static final int LEAST_PIXELS = 16;

    private static final int WHOLE = 0; // as enum NormPhase
    private static final int SUMS = 1;
    private static final int APPLY = 2;

    /**
     * What is launched.
     *
     * @param length pixels of an image
     * @param before tensors that are added to dx
     * @param offset whether dx is summed over the pixels, for the gradient of an offset: over the slices by a launch more
     */
    record Setting(
            boolean backward,
            DType dtype,
            int images,
            int length,
            int channels,
            int groups,
            int before,
            boolean offset) {
        static Setting of(NormParams p, Tensor x, boolean backward, int before, boolean offset) {
            int n = x.shape().get(0);
            int c = x.shape().get(-1);
            return new Setting(backward, x.dtype(), n, x.shape().size() / n / c, c, p.groups(), before, offset);
        }

        /** One word, for a file. */
        String word() {
            return (backward ? "backward-" : "forward-") + dtype + "-" + images + "x" + length + "x" + channels + "-g"
                    + groups + "-b" + before + (offset ? "-o" : "");
        }

        private int depth() {
            return channels / groups;
        }

        /** Values of a vector of 16 bytes. */
        private int most() {
            return 16 / dtype.bytes();
        }

        /** Vectors of x that a thread can hold. */
        private int held() {
            return backward ? HELD_PAIRS : HELD;
        }

        /** Threads of a block that reads x twice; 0 for as many as let the device hold all blocks at once. */
        private int twice() {
            if (!backward) return THREADS / 2;
            return dtype == DType.BF16 ? 0 : THREADS;
        }

        /** The fewest groups with so many bytes of channels or more that are a whole number of vectors. */
        private int bundle(int run) {
            int least = run / dtype.bytes();
            int bundle = 1;
            while (bundle < groups && (bundle * depth() < least || bundle * depth() % most() != 0)) bundle++;
            return bundle;
        }

        /** Vectors of a pixel of a bundle, as wide as every bundle allows. */
        private int columns(int bundle) {
            int run = bundle * depth();
            int last = groups % bundle * depth();
            int vector = most();
            while (run % vector != 0 || last % vector != 0) vector = vector > 4 ? 4 : 1;
            return run / vector;
        }

        /**
         * Whether blocks with such a bundle can hold their share: that of vectors of 16 bytes alone, and forward of groups
         * of whole fours.
         */
        private boolean holds(int bundle) {
            boolean vectors = channels % most() == 0 && bundle * depth() % most() == 0;
            return vectors && (backward || depth() % 4 == 0);
        }

        /** Blocks of all images, uncut. */
        private int bundles(int bundle) {
            return images * ((groups + bundle - 1) / bundle);
        }

        private NormLaunching launching(CudaContext device, int bundle, int slices, int threads, boolean meeting) {
            int run = bundle * depth();
            int block = threads;
            int shared = shared(block, run, most());
            while (block > 64 && shared > device.sharedLimit() - 4096) { // as Kernels allows
                block = block / 64 * 32;
                shared = shared(block, run, most());
            }
            return new NormLaunching(images, length, depth(), groups, bundle, slices, block, shared, meeting);
        }
    }

    /** What is right for most shapes on a large device. */
    static NormLaunching usual(Setting s, CudaContext device) {
        int bundle = s.bundle(RUN);
        int columns = s.columns(bundle);
        int bundles = s.bundles(bundle);
        long work = (long) s.length * bundle * s.depth();
        int slices = 1;
        if (threads(s.length, s.held(), columns) > THREADS && bundles <= FEW_BLOCKS && work >= LONG)
            slices = (int) Math.min(MOST_SLICES, work / SLICE);
        int pixels = pixels(s, slices);
        long blocks = (long) bundles * slices;
        int multiprocessors = device.multiprocessors();
        // as many threads as can be on the device with those of all other blocks, and enough to hold everything
        long fill = THREADS / Math.min(THREADS / 64, (blocks + multiprocessors - 1) / multiprocessors) / 32 * 32;
        long least = slices == 1 ? threads(pixels, s.held(), columns) : 64;
        long useful = threads(pixels, 1, columns);
        boolean once = least <= THREADS / 2;
        long block = once ? Math.max(least, fill) : s.twice() == 0 ? fill : s.twice();
        return s.launching(device, bundle, slices, (int) Math.min(useful, block), false);
    }

    /**
     * Some that may be faster, after the usual one: longer runs of channels, smaller and larger blocks, slices; of those that meet,
     * as few as blocks can hold.
     *
     * @param meet whether blocks may meet
     */
    static List<NormLaunching> candidates(Setting s, CudaContext device, boolean meet) {
        Set<NormLaunching> all = new LinkedHashSet<>();
        all.add(usual(s, device));
        for (int run = RUN; run <= 4 * RUN; run *= 2)
            for (int slices = 1; slices <= MOST_SLICES; slices *= 2)
                for (int block = THREADS / 4; block <= THREADS; block *= 2) {
                    int bundle = s.bundle(run);
                    int pixels = pixels(s, slices);
                    boolean sensible = slices == 1 ? run < 4 * RUN : block < THREADS / 2 && pixels >= LEAST_PIXELS;
                    if (sensible && block <= threads(pixels, 1, s.columns(bundle)))
                        all.add(s.launching(device, bundle, slices, block, false));
                }
        for (int run = RUN; run <= 2 * RUN; run *= 2)
            for (int block = THREADS / 4; block < THREADS; block *= 2) {
                int bundle = s.bundle(run);
                int rows = block / s.columns(bundle);
                int slices = rows == 0 ? 0 : (s.length + s.held() * rows - 1) / (s.held() * rows);
                boolean possible =
                        s.holds(bundle) && slices <= device.multiprocessors() && s.bundles(bundle) < MOST_MEETINGS;
                if (meet && slices > 1 && possible) all.add(s.launching(device, bundle, slices, block, true));
            }
        return new ArrayList<>(all);
    }

    private static int pixels(Setting s, int slices) {
        return (s.length + slices - 1) / slices;
    }

    /** Threads, in whole warps, that hold {@code pixels} if each has {@code held} of them in its column. */
    private static long threads(int pixels, int held, int columns) {
        return (((pixels + held - 1L) / held) * columns + 31) / 32 * 32;
    }

    /** Bytes of shared memory of a block; fewer threads than vectors of a pixel need more for their sums than these hold. */
    private static int shared(int block, int run, int vector) {
        return 4 * (Math.max((2 * vector + 1) * block, 2 * run) + 12 * run + 64);
    }

    int channels() {
        return depth * groups;
    }

    private int[] phases() {
        return slices == 1 || meeting ? new int[] {WHOLE} : new int[] {SUMS, APPLY};
    }

    /** For a file: what is chosen of it. */
    String words() {
        return bundle + " " + slices + " " + block + " " + meeting;
    }

    /**
     * One launch, or one for the sums of the slices and one that uses them.
     *
     * @param meetings address of so many zeros and one more
     * @param tensors begins the arguments
     * @param rest ends them
     */
    void go(Engine engine, long meetings, Supplier<Launch> tensors, UnaryOperator<Launch> rest) {
        Buffer sums = slices == 1 ? null : engine.scratch(8L * images * slices * channels());
        for (int phase : phases()) {
            Launch launch = tensors.get().address(sums == null ? 0 : sums.address());
            rest.apply((meeting ? launch.address(meetings) : launch.integer(phase))
                            .integer(length)
                            .integer(depth)
                            .integer(groups)
                            .integer(bundle))
                    .grid((groups + bundle - 1) / bundle, slices, images, block, 1, shared);
        }
        if (sums != null) sums.release();
    }
}
