package bench.libtorch;

import bench.Task;
import bench.Workload;
import ddpm.train.Settings;
import java.util.Optional;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.Adam;
import org.bytedeco.pytorch.AdamOptions;
import org.bytedeco.pytorch.NoGradGuard;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import tensor.Shape;
import tensor.backend.Precision;

/**
 * The presets in libtorch, as its user would write them: nothing is fused or rewritten for its sake, and every large
 * temporary is dropped where Python would drop it.
 *
 * <p>A training step is: gradients to zero, random t, noise, q_sample, forward, loss, backward, Adam; one fixed batch. Ours
 * does more: it also loads and flips images, measures the norm of the gradient, and where the preset says so clips it and
 * averages the weights. In bf16, forward and loss are computed under autocast, the weights and Adam stay in fp32.
 *
 * <p>Its loss is not looked at. On a virtual processor that names no caches the oneDNN within libtorch 2.7.1 leaves unwritten what
 * fills its blocks behind the last channel, and adds it up: numbers are wrong or NaN, in the same time. Elsewhere what these
 * networks compute is what ours do ({@code bench.interop}).
 */
final class Steps {
    private Steps() {}

    /** {@code null} for what is not one of these networks as published. */
    private static Net net(String what, Layout layout) {
        boolean last = layout == Layout.CHANNELS_LAST;
        int[] mults = {1, 2, 4};
        return switch (what) {
            case "annotated" -> new NotebookNet(28, 1, mults, last);
            case "annotated-resnet" -> new BlogNet(28, 1, mults, last);
            case "ddpm-cifar10" -> new CifarNet(last);
            default -> null;
        };
    }

    private static Tensor images(Settings settings, Layout layout) {
        Shape image = Workload.image(settings);
        return layout.of(torch.rand(settings.batchSize(), image.get(3), image.get(1), image.get(2)));
    }

    static Optional<Runnable> training(Task task, Layout layout) {
        Settings settings = Workload.settings(task.what(), task.batch());
        Net net = net(task.what(), layout);
        if (net == null) return Optional.empty();
        boolean square = settings.preset().equals("ddpm-cifar10");
        boolean bf16 = task.precision() == Precision.BF16;
        Diffusion diffusion = new Diffusion(settings.timesteps());
        Tensor x0 = images(settings, layout);
        Adam adam = new Adam(net.parameterVector(), new AdamOptions(1e-3));
        return Optional.of(() -> {
            try (PointerScope scope = new PointerScope()) {
                adam.zero_grad();
                Tensor t = diffusion.randomT(settings.batchSize());
                Tensor noise = torch.randn_like(x0);
                Tensor xt = diffusion.qSample(x0, t, noise);
                Tensor loss;
                try (Autocast region = Autocast.enter(bf16)) {
                    Tensor predicted = net.forward(xt, t);
                    if (bf16 != (predicted.scalar_type().intern() == torch.ScalarType.BFloat16))
                        throw new IllegalStateException("libtorch computed in " + predicted.scalar_type());
                    Tensor exact = bf16 ? predicted.to(torch.ScalarType.Float) : predicted;
                    loss = square ? torch.mse_loss(exact, noise) : torch.smooth_l1_loss(exact, noise);
                    Ops.free(xt, exact);
                    if (bf16) Ops.free(predicted);
                }
                loss.backward();
                adam.step();
                loss.item_float(); // as whoever watches it does
            }
        });
    }

    static Optional<Runnable> sampling(Task task, Layout layout) {
        Settings settings = Workload.settings(task.what(), task.batch());
        Net net = net(task.what(), layout);
        if (net == null) return Optional.empty();
        net.training = false;
        Diffusion diffusion = new Diffusion(settings.timesteps());
        Tensor x = images(settings, layout);
        Tensor t = torch.ones(settings.batchSize())
                .mul(Ops.s(settings.timesteps() / 2))
                .to(torch.ScalarType.Long);
        return Optional.of(() -> {
            try (PointerScope scope = new PointerScope();
                    NoGradGuard guard = new NoGradGuard();
                    Autocast region = Autocast.enter(task.precision() == Precision.BF16)) {
                diffusion.pSample(net, x, t, true);
            }
        });
    }

    /** Number of values that are trained, for the proof that the network is the preset's. */
    static long parameters(String preset) {
        return net(preset, Layout.CONTIGUOUS).parameterCount();
    }
}
