package ddpm.diffusion;

import static autograd.ops.AveragePool.averagePool;
import static autograd.ops.Concat.concat;

import autograd.Variable;
import autograd.ops.Upsample;
import tensor.Tensor;

/**
 * Super-resolution by concatenation (Saharia et al. 2021, SR3; Ho et al. 2021, Cascaded Diffusion Models): the network sees,
 * joined to x_t, a small picture z of what it is to draw, every pixel of it as a square of factor × factor.
 *
 * <pre>z = the mean of each square of x₀ (training), or a picture that another model has drawn (a cascade)
 * z_s = √ᾱ_s z + √(1−ᾱ_s) ε      s ~ uniform(0 … S) for each image while training, one number when drawing</pre>
 *
 * The noise is the second paper's conditioning augmentation, not truncated. A network that has seen none but faultless z
 * believes every fault of the model below it and enlarges it; noise covers the fine detail, where a drawn z is least to be
 * trusted, and the network learns to draw that anew. How much noise it trusts through is chosen when drawing, for it was
 * trained on all amounts and is told which: √(1−ᾱ_s), in one more channel of that value (a noise map, Zhang et al. 2018,
 * FFDNet), where the paper adds an embedding of s. Pixels become squares, where the paper interpolates between them.
 */
public final class LowResolution {
    private final GaussianDiffusion diffusion;
    private final int factor;

    /**
     * Small pictures for a process.
     *
     * @param factor how many times larger the images are, along either side, see {@link #factor}
     */
    public LowResolution(GaussianDiffusion diffusion, int factor) {
        this.diffusion = diffusion;
        this.factor = factor;
    }

    /**
     * How many times a small picture of height {@code side} must be enlarged.
     *
     * @throws IllegalArgumentException unless it goes at least twice, and a whole number of times, into both sides
     */
    public static int factor(int height, int width, int side) {
        if (side >= height || height % side != 0 || width % (height / side) != 0)
            throw new IllegalArgumentException("low-resolution needs the height of a picture that goes into " + height
                    + "x" + width + " a whole number of times, at least twice, not " + side);
        return height / side;
    }

    /** Channels that {@link #given} joins to an image of so many. */
    public static int channels(int channels) {
        return channels + 1;
    }

    /** z: x0 [N,H,W,C] → [N,H/factor,W/factor,C]. */
    public Tensor shrink(Tensor x0) {
        return averagePool(Variable.constant(x0), factor).value();
    }

    /**
     * What the network is shown.
     *
     * @param small z [N,h,w,C]
     * @param s how noisy it is made, [N] of timesteps
     * @param eps standard normal, like z
     * @return z_s, enlarged, and its noise map [N,H,W,C+1]
     */
    public Tensor given(Tensor small, Tensor s, Tensor eps) {
        Tensor noisy = diffusion.qSample(small, s, eps);
        Tensor ones = Tensor.full(small.backend(), small.dtype(), small.shape().with(3, 1), 1);
        Tensor map = ones.mul(diffusion.noiseShare(s));
        return Upsample.nearest(concat(3, Variable.constant(noisy), Variable.constant(map)), factor)
                .value();
    }
}
