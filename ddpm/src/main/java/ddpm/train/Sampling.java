package ddpm.train;

import ddpm.diffusion.AncestralSampler;
import ddpm.diffusion.Denoiser;
import ddpm.diffusion.GaussianDiffusion;
import ddpm.diffusion.Sampler;
import ddpm.unet.UNetConfig;
import tensor.DType;
import tensor.Rng;
import tensor.Shape;
import tensor.Tensor;
import tensor.backend.Backend;
import tensor.backend.Distribution;
import tensor.memory.Scope;

/**
 * Draws images: standard normal noise through the reverse process. The noise comes from a stream of its own, so drawing
 * samples never disturbs training.
 */
public final class Sampling {
    /** Largest batch that goes through the network at once. */
    private static final int CHUNK = 64;

    private final Settings settings;
    private final GaussianDiffusion diffusion;
    private final Backend backend;
    private final UNetConfig network;

    public Sampling(Settings settings, GaussianDiffusion diffusion, Backend backend, UNetConfig network) {
        this.settings = settings;
        this.diffusion = diffusion;
        this.backend = backend;
        this.network = network;
    }

    /** Sees the images after each timestep; {@code pixels} [n,H,W,C] is the observer's to keep. */
    @FunctionalInterface
    public interface Film {
        /** The state after the noise of timestep t has been removed. */
        void frame(int t, float[] pixels);
    }

    /**
     * {@code count} images [count,H,W,C] in about [−1, 1].
     *
     * @param film sees the first chunk of at most 64 images on its way; {@code null} for none
     * @param interrupts asked between steps
     */
    public float[] draw(Denoiser denoiser, int count, long seed, Film film, Interrupts interrupts) {
        int values = network.height() * network.width() * network.channels();
        float[] pixels = new float[Math.multiplyExact(count, values)];
        Rng rng = new Rng(seed);
        for (int done = 0; done < count; done += CHUNK) {
            int n = Math.min(CHUNK, count - done);
            boolean filmed = film != null && done == 0;
            Sampler.Observer observer = (t, x, start) -> {
                interrupts.check();
                if (filmed) film.frame(t, x.toFloats());
            };
            try (Scope scope = Scope.open("sampling")) {
                Shape shape = Shape.of(n, network.height(), network.width(), network.channels());
                Tensor noise = rng.draw(Distribution.NORMAL, backend, DType.F32, shape);
                if (filmed) film.frame(settings.timesteps(), noise.toFloats());
                AncestralSampler sampler =
                        new AncestralSampler(diffusion, settings.variance(), settings.clipStart(), rng);
                float[] drawn = sampler.sample(denoiser, noise, observer).toFloats();
                System.arraycopy(drawn, 0, pixels, done * values, drawn.length);
            }
        }
        return pixels;
    }
}
