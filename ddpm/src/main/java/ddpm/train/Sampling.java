package ddpm.train;

import ddpm.diffusion.Denoiser;
import ddpm.diffusion.Estimator;
import ddpm.diffusion.GaussianDiffusion;
import ddpm.diffusion.ImageNoise;
import ddpm.diffusion.Sampler;
import ddpm.unet.UNetConfig;
import tensor.DType;
import tensor.Shape;
import tensor.Tensor;
import tensor.backend.Backend;
import tensor.memory.Scope;

/**
 * Draws images: standard normal noise through the reverse process. The noise belongs to each image ({@link ImageNoise}),
 * and to no stream of the training, which is never disturbed.
 */
public final class Sampling {
    /** Largest batch that goes through the network at once. */
    private static final int CHUNK = 64;

    private final Settings settings;
    private final GaussianDiffusion diffusion;
    private final Backend backend;
    private final UNetConfig config;

    public Sampling(Settings settings, GaussianDiffusion diffusion, Backend backend, UNetConfig config) {
        this.settings = settings;
        this.diffusion = diffusion;
        this.backend = backend;
        this.config = config;
    }

    /** Sees the images on their way; {@code pixels} [n,H,W,C] is the observer's to keep. */
    @FunctionalInterface
    public interface Film {
        /** The state after {@code done} steps of {@link Sampling#steps}; after 0 it is pure noise. */
        void frame(int done, float[] pixels);
    }

    /** Number of steps from noise to image. */
    public int steps() {
        return settings.sampler().timesteps(diffusion.schedule()).count();
    }

    /**
     * Images 0 … count−1 [count,H,W,C] of a seed, in about [−1, 1]. Image k is the same however many are drawn with it, but
     * for rounding.
     *
     * @param film sees the first chunk of at most 64 images on its way; {@code null} for none
     * @param interrupts asked between steps
     */
    public float[] draw(Denoiser network, int count, long seed, Film film, Interrupts interrupts) {
        int values = config.height() * config.width() * config.channels();
        float[] pixels = new float[Math.multiplyExact(count, values)];
        Estimator model = diffusion.estimator(network, settings.target(), settings.clipStart());
        for (int first = 0; first < count; first += CHUNK) {
            int n = Math.min(CHUNK, count - first);
            boolean filmed = film != null && first == 0;
            int[] done = {0};
            Sampler.Observer observer = (t, x, start) -> {
                interrupts.check();
                done[0]++;
                if (filmed) film.frame(done[0], x.toFloats());
            };
            try (Scope scope = Scope.open("sampling")) {
                ImageNoise source = new ImageNoise(seed, first);
                Shape shape = Shape.of(n, config.height(), config.width(), config.channels());
                Tensor noise = source.draw(backend, DType.F32, shape);
                if (filmed) film.frame(0, noise.toFloats());
                Sampler sampler = settings.sampler().sampler(diffusion.schedule(), source);
                float[] drawn = sampler.sample(model, noise, observer).toFloats();
                System.arraycopy(drawn, 0, pixels, first * values, drawn.length);
            }
        }
        return pixels;
    }
}
