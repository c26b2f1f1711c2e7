package bench.interop;

import bench.libtorch.Libtorch;
import ddpm.diffusion.AncestralSampler.Variance;
import ddpm.diffusion.NoiseSchedule;
import ddpm.diffusion.SamplerChoice;
import ddpm.unet.UNetConfig;
import org.bytedeco.pytorch.NoGradGuard;
import org.bytedeco.pytorch.ScalarOptional;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;

/** Ancestral sampling (Ho et al. 2020, Algorithm 2) over some timesteps, x̂₀ clipped, in libtorch's tensors. */
record PeerSampling(int count, Variance variance) {
    static final NoiseSchedule SCHEDULE = NoiseSchedule.of(NoiseSchedule.Kind.LINEAR, 100);

    /** Standard normal: the start and one more for every step. */
    static Tensor[] noise(int count, int batch, UNetConfig config) {
        Tensor[] noise = new Tensor[count + 1];
        for (int i = 0; i <= count; i++)
            noise[i] = torch.randn(batch, config.channels(), config.height(), config.width());
        return noise;
    }

    /** The pictures that noise becomes. */
    Tensor sample(Peer peer, UNetConfig config, Tensor[] noise) {
        int[] steps = new SamplerChoice(SamplerChoice.Kind.DDPM, count, 0, variance)
                .timesteps(SCHEDULE)
                .toArray();
        boolean learned = config.outChannels() > config.channels();
        Tensor z = noise[0];
        int batch = (int) z.size(0);
        try (NoGradGuard guard = new NoGradGuard()) {
            for (int i = 0; i < count; i++) {
                boolean last = i + 1 == count;
                double from = SCHEDULE.alphaBar(steps[i]);
                double to = last ? 1 : SCHEDULE.alphaBar(steps[i + 1]);
                double beta = 1 - from / to;
                double small = beta * (1 - to) / (1 - from);
                float[] t = new float[batch];
                java.util.Arrays.fill(t, steps[i]);
                Tensor out = peer.forward(z, Libtorch.tensor(t, batch));
                Tensor[] parts = learned ? Peer.chunk(out, 2, 1) : new Tensor[] {out};
                Tensor start = z.sub(parts[0].mul(Peer.s(Math.sqrt(1 - from))))
                        .div(Peer.s(Math.sqrt(from)))
                        .clamp(new ScalarOptional(Peer.s(-1)), new ScalarOptional(Peer.s(1)));
                Tensor mean = start.mul(Peer.s(Math.sqrt(to) * beta / (1 - from)))
                        .add(z.mul(Peer.s(Math.sqrt(from / to) * (1 - to) / (1 - from))));
                if (last) return mean;
                Tensor sigma = learned
                        ? parts[1].add(Peer.s(1))
                                .mul(Peer.s(0.25 * Math.log(beta / small)))
                                .add(Peer.s(0.5 * Math.log(small)))
                                .exp()
                        : torch.ones(1).mul(Peer.s(Math.sqrt(variance == Variance.FIXED_LARGE ? beta : small)));
                z = mean.add(noise[i + 1].mul(sigma));
            }
        }
        throw new IllegalStateException("no steps");
    }
}
