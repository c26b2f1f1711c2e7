package ddpm.evaluate;

import autograd.Variable;
import ddpm.diffusion.AncestralSampler;
import ddpm.diffusion.Denoiser;
import ddpm.diffusion.Estimate;
import ddpm.diffusion.GaussianDiffusion;
import ddpm.diffusion.ImageNoise;
import ddpm.diffusion.Target;
import ddpm.diffusion.VariationalBound;
import java.util.function.LongConsumer;
import tensor.Shape;
import tensor.Tensor;
import tensor.memory.Scope;

/**
 * What a model loses at every timestep, on given images: the squared error of its noise, and its term of the variational
 * bound, which add up to bits per dimension (lower is better; an upper bound on −log₂ p). One pass of the network for every
 * timestep of every image.
 */
public final class TimestepLosses {
    private final GaussianDiffusion diffusion;
    private final Target target;
    private final boolean clip;
    private final VariationalBound bound;
    private final double[] noise;
    private final double[] bits;
    private double prior;
    private double sum;
    private double squares;
    private int images;

    /** Nothing seen yet; tables join the innermost scope. */
    public TimestepLosses(
            GaussianDiffusion diffusion, Target target, boolean clip, AncestralSampler.Variance variance) {
        this.diffusion = diffusion;
        this.target = target;
        this.clip = clip;
        bound = new VariationalBound(diffusion, variance);
        noise = new double[diffusion.schedule().timesteps()];
        bits = new double[noise.length];
    }

    /**
     * Adds a batch.
     *
     * @param x0 [N,H,W,C]
     * @param seed of the noise, and the number of the batch's first image
     * @param progress told the timesteps done
     */
    public void add(Denoiser network, Tensor x0, long seed, long first, LongConsumer progress) {
        int n = x0.shape().get(0);
        ImageNoise source = new ImageNoise(seed, first);
        double[] total = bound.prior(x0);
        for (double p : total) prior += p;
        for (int t = noise.length - 1; t >= 0; t--) {
            try (Scope scope = Scope.open("t " + t)) {
                Tensor time = Tensor.full(x0.backend(), x0.dtype(), Shape.of(n), t);
                Tensor eps = source.like(x0);
                Tensor xt = diffusion.qSample(x0, time, eps);
                Estimate e = diffusion.estimator(network, target, clip).at(xt, t);
                Tensor error = e.noise().sub(eps);
                noise[t] += error.mul(error).sum().item() * n / x0.shape().size();
                double[] terms = t == 0
                        ? bound.decoder(x0, e.start(), e.fraction())
                        : bound.terms(
                                        x0,
                                        time,
                                        Variable.constant(e.start()),
                                        e.fraction() == null ? null : Variable.constant(e.fraction()))
                                .value()
                                .toDoubles();
                for (int i = 0; i < n; i++) {
                    bits[t] += terms[i];
                    total[i] += terms[i];
                }
            }
            progress.accept(noise.length - t);
        }
        for (double b : total) {
            sum += b;
            squares += b * b;
        }
        images += n;
    }

    /** Mean squared error of the noise at each t. */
    public double[] noise() {
        return scaled(noise);
    }

    /** The bound's term at each t, bits per dimension. */
    public double[] bits() {
        return scaled(bits);
    }

    private double[] scaled(double[] sums) {
        double[] means = new double[sums.length];
        for (int t = 0; t < means.length; t++) means[t] = sums[t] / images;
        return means;
    }

    /** The part of the bound that is no one's fault: KL(q(x_T | x₀) ‖ N(0, I)). */
    public double prior() {
        return prior / images;
    }

    /** The whole bound, mean over the images. */
    public double bitsPerDimension() {
        return sum / images;
    }

    /** Its standard error over the images. */
    public double standardError() {
        double mean = sum / images;
        return Math.sqrt(Math.max(0, squares / images - mean * mean) / images);
    }
}
