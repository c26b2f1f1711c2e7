package tensor.backend.cuda;

import tensor.Tensor;
import tensor.backend.NormParams;
import tensor.memory.Buffer;

/**
 * Group norm, affine map, conditioning and SiLU in one kernel each way, channels last. A thread block takes a bundle of
 * neighbouring groups of one image, so that what it reads of a pixel is at least 32 channels in a row.
 */
final class Norms {
    /** Fewest neighbouring channels that a block should read. */
    private static final int RUN = 32;
    /** So few blocks leave a large device idle unless they are large. */
    private static final int FEW_BLOCKS = 256;

    private final Engine engine;

    Norms(Engine engine) {
        this.engine = engine;
    }

    /** How the kernels are launched for one shape. */
    private record Launching(int images, int length, int channels, int groups, int bundle, int block, int shared) {
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
            int block = work < 4096 ? 64 : work < 16384 ? 256 : blocks <= FEW_BLOCKS ? 1024 : 512;
            int shared = 4 * (2 * (vector * block + run) + 6 * run + 4 * bundle);
            return new Launching(images, length, channels, p.groups(), bundle, block, shared);
        }

        void go(Launch launch) {
            launch.grid((groups + bundle - 1) / bundle, images, block, 1, shared);
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
        l.go(engine.launch(Kernel.GROUP_NORM, x.dtype())
                .tensor(x)
                .tensor(gamma)
                .tensor(beta)
                .tensor(scale)
                .tensor(shift)
                .tensor(y)
                .tensor(mean)
                .tensor(rstd)
                .integer(l.length)
                .integer(l.channels)
                .integer(l.groups)
                .integer(l.bundle)
                .number(p.eps())
                .integer(p.silu()));
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
        l.go(engine.launch(Kernel.GROUP_NORM_BACKWARD, x.dtype())
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
                .tensor(dshift)
                .integer(l.length)
                .integer(l.channels)
                .integer(l.groups)
                .integer(l.bundle)
                .integer(p.silu()));
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
