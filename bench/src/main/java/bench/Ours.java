package bench;

import bench.kernel.KernelCalls;
import ddpm.diffusion.AncestralSampler;
import ddpm.diffusion.Estimator;
import ddpm.diffusion.ImageNoise;
import ddpm.diffusion.Sampler;
import ddpm.diffusion.Timesteps;
import ddpm.train.Settings;
import ddpm.train.Training;
import java.util.Optional;
import optim.LearningRate;
import tensor.DType;
import tensor.Shape;
import tensor.Tensor;
import tensor.backend.Backend;
import tensor.backend.Backends;
import tensor.backend.Precision;
import tensor.memory.Scope;

/** This project, on the backend {@code cpu}. */
public final class Ours implements Contestant {
    private final Backend backend;
    private final KernelCalls kernels;

    /** Opens the backend. */
    public Ours(int threads, Precision precision) {
        Meter.install();
        backend = Backends.open("cpu", threads, precision).backend();
        kernels = new KernelCalls(backend);
        Scope.open("bench");
    }

    @Override
    public Optional<Runnable> prepare(Task task) {
        return Optional.of(
                switch (task.kind()) {
                    case KERNEL, CALL -> kernels.find(task)::run;
                    case STEP -> step(task);
                    case SAMPLE -> sample(task);
                });
    }

    private Runnable step(Task task) {
        Settings settings = Workload.settings(task.what(), task.batch());
        Training training = Workload.training(settings, backend);
        LearningRate rate = settings.learningRate(Long.MAX_VALUE);
        return () -> training.step(rate);
    }

    /** From x_t to the image in one go: the network, x̂₀ and the posterior's mean. */
    private Runnable sample(Task task) {
        Settings settings = Workload.settings(task.what(), task.batch());
        Training training = Workload.training(settings, backend);
        Estimator model = training.diffusion().estimator(training.unet(), settings.target(), settings.clipStart());
        ImageNoise source = new ImageNoise(1, 0);
        Sampler sampler = new AncestralSampler(
                training.diffusion().schedule(),
                Timesteps.of(settings.timesteps() / 2),
                AncestralSampler.Variance.FIXED_SMALL,
                source);
        Shape image = Workload.image(settings);
        Tensor noise = source.draw(backend, DType.F32, image.with(0, settings.batchSize()));
        return () -> {
            try (Scope scope = Scope.open("sample")) {
                sampler.sample(model, noise, Sampler.Observer.NONE);
                backend.synchronize();
            }
        };
    }
}
