package ddpm.train;

import ddpm.diffusion.GaussianDiffusion;
import ddpm.diffusion.NoiseSchedule;
import ddpm.report.ImageGrid;
import ddpm.report.Picture;
import ddpm.unet.UNetConfig;
import java.util.ArrayList;
import java.util.List;
import tensor.DType;
import tensor.Rng;
import tensor.Shape;
import tensor.Tensor;
import tensor.backend.Backend;
import tensor.memory.Scope;

/** One image at growing timesteps of the forward process (Eq. 4), side by side, with one and the same noise. */
public final class NoiseStrip {
    private static final int PICTURES = 8;

    private NoiseStrip() {}

    /** The strip for an image of the network's size, values in [−1, 1]. */
    static Picture of(float[] image, UNetConfig network, NoiseSchedule schedule, Rng rng, Backend backend) {
        int last = schedule.timesteps() - 1;
        int[] steps = new int[PICTURES - 1];
        for (int i = 0; i < steps.length; i++) steps[i] = Math.round((float) last * i / (steps.length - 1));
        return of(image, network.height(), network.width(), network.channels(), schedule, steps, rng, backend);
    }

    /** The image itself, then x_t for every timestep given. */
    public static Picture of(
            float[] image,
            int height,
            int width,
            int channels,
            NoiseSchedule schedule,
            int[] steps,
            Rng rng,
            Backend backend) {
        try (Scope scope = Scope.open("strip")) {
            GaussianDiffusion diffusion = new GaussianDiffusion(schedule, backend, DType.F32);
            Tensor x0 = Tensor.of(backend, Shape.of(1, height, width, channels), image);
            Tensor eps = rng.normalLike(x0);
            List<Picture> strip = new ArrayList<>(List.of(Picture.of(image, 0, height, width, channels)));
            for (int t : steps) {
                Tensor time = Tensor.of(backend, Shape.of(1), t);
                strip.add(Picture.of(diffusion.qSample(x0, time, eps).toFloats(), 0, height, width, channels));
            }
            return ImageGrid.rows(strip, strip.size());
        }
    }
}
