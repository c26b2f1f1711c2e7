package tensor.backend.cuda;

import java.util.function.Supplier;
import java.util.function.UnaryOperator;
import tensor.Tensor;
import tensor.backend.NormParams;
import tensor.memory.Buffer;

/**
 * Group norm, affine map, conditioning and SiLU by one kernel each way, channels last. A thread block takes a bundle of
 * neighbouring groups of one image, so that what it reads of a pixel is at least 32 channels in a row.
 */
final class Norms {
    /** Fewest neighbouring channels that a block should read. */
    private static final int RUN = 32;
    /** So few blocks leave a large device idle … */
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

    Norms(Engine engine) {
        this.engine = engine;
    }

    /** How the kernels are launched for one shape. */
    private record Launching(
            int images, int length, int channels, int groups, int bundle, int slices, int block, int shared) {
        static Launching of(NormParams p, Tensor x) {
            int images = x.shape().get(0);
            int channels = x.shape().get(-1);
            int length = x.shape().size() / images / channels;
            int width = channels / p.groups();
            int vector = 16 / x.dtype().bytes();
            int bundle = 1;
            while (bundle < p.groups() && (bundle * width < RUN || bundle * width % vector != 0)) bundle++;
            int run = bundle * width;
            int blocks = images * ((p.groups() + bundle - 1) / bundle);
            long work = (long) length * run;
            int slices = blocks > FEW_BLOCKS || work < LONG ? 1 : (int) Math.min(MOST_SLICES, work / SLICE);
            long own = work / slices;
            int block = own < 4096 ? 64 : own < LONG ? 256 : 512;
            int shared = 4 * (2 * (vector * block + run) + 6 * run + 4 * bundle);
            return new Launching(images, length, channels, p.groups(), bundle, slices, block, shared);
        }

        /**
         * One launch, or one for the sums of the slices and one that uses them.
         *
         * @param tensors begins the arguments
         * @param rest ends them
         */
        void go(Engine engine, Supplier<Launch> tensors, UnaryOperator<Launch> rest) {
            Buffer sums = slices == 1 ? null : engine.scratch(8L * images * slices * channels);
            for (int phase : slices == 1 ? new int[] {WHOLE} : new int[] {SUMS, APPLY})
                rest.apply(tensors.get()
                                .address(sums == null ? 0 : sums.address())
                                .integer(phase)
                                .integer(length)
                                .integer(channels)
                                .integer(groups)
                                .integer(bundle))
                        .grid((groups + bundle - 1) / bundle, images, slices, block, 1, shared);
            if (sums != null) sums.release();
        }
    }

    /** {@link tensor.backend.Backend#groupNorm}. */
    void forward(
            NormParams p,
            Tensor x,
            Tensor gamma,
            Tensor beta,
            Tensor scale,
            Tensor shift,
            Tensor y,
            Tensor mean,
            Tensor rstd) {
        Launching l = Launching.of(p, x);
        l.go(
                engine,
                () -> engine.launch(Kernel.GROUP_NORM, x.dtype())
                        .tensor(x)
                        .tensor(gamma)
                        .tensor(beta)
                        .tensor(scale)
                        .tensor(shift)
                        .tensor(y)
                        .tensor(mean)
                        .tensor(rstd),
                launch -> launch.number(p.eps()).integer(p.silu()));
    }

    /** {@link tensor.backend.Backend#groupNormBackward}; dgamma and dbeta are summed over the images by a second kernel. */
    void backward(
            NormParams p,
            Tensor x,
            Tensor gamma,
            Tensor beta,
            Tensor scale,
            Tensor shift,
            Tensor mean,
            Tensor rstd,
            Tensor dy,
            Tensor dx,
            Tensor dgamma,
            Tensor dbeta,
            Tensor dscale,
            Tensor dshift) {
        Launching l = Launching.of(p, x);
        Buffer partial = dgamma == null ? null : engine.scratch(8L * l.images * l.channels);
        l.go(
                engine,
                () -> engine.launch(Kernel.GROUP_NORM_BACKWARD, x.dtype())
                        .tensor(x)
                        .tensor(gamma)
                        .tensor(beta)
                        .tensor(scale)
                        .tensor(shift)
                        .tensor(mean)
                        .tensor(rstd)
                        .tensor(dy)
                        .tensor(dx)
                        .address(partial == null ? 0 : partial.address())
                        .tensor(dscale)
                        .tensor(dshift),
                launch -> launch.integer(p.silu()));
        if (partial == null) return;
        engine.launch(Kernel.GROUP_NORM_PARAMETERS, x.dtype())
                .address(partial.address())
                .tensor(dgamma)
                .tensor(dbeta)
                .integer(l.images)
                .integer(l.channels)
                .grid((2 * l.channels + 31) / 32, 1, 32, 8, 0);
        partial.release();
    }
}
