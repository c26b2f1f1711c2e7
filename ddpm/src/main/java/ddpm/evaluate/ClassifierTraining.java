package ddpm.evaluate;

import static autograd.ops.CrossEntropy.crossEntropy;
import static autograd.ops.Mean.mean;

import autograd.Tape;
import autograd.Variable;
import datasets.Batch;
import datasets.DataLoader;
import datasets.Dataset;
import ddpm.diffusion.GaussianDiffusion;
import ddpm.train.Labels;
import ddpm.unet.NoisyClassifier;
import java.util.Arrays;
import java.util.Map;
import java.util.function.Function;
import nn.Init;
import nn.Layer;
import nn.Parameter;
import optim.Adam;
import optim.LearningRate;
import optim.Updates;
import tensor.DType;
import tensor.Rng;
import tensor.Shape;
import tensor.Tensor;
import tensor.backend.Backend;
import tensor.backend.Distribution;
import tensor.memory.Scope;

/**
 * Trains a classifier: Adam with decoupled weight decay, the learning rate rising over a tenth of the steps and falling to
 * zero along a cosine. Everything follows from the seed.
 *
 * @param <C> which
 */
public final class ClassifierTraining<C extends Layer> implements AutoCloseable {
    private static final int BATCH = 128;
    private static final double PEAK = 3e-3;
    private static final double DECAY = 0.02;
    private static final double LIMIT = 1;
    private static final long INIT_STREAM = 0x696e6974L;

    private final Backend backend;
    private final C classifier;
    private final Function<Tensor, Variable> logits;
    private final Map<String, Parameter> parameters;
    private final Adam adam;
    private final DataLoader loader;
    private final Shape image;
    private final LearningRate rate;
    private final long steps;
    private long step;

    /** {@code logits}: x0 [N,H,W,C] → [N,K]. */
    private ClassifierTraining(
            C classifier,
            Function<Tensor, Variable> logits,
            Dataset data,
            double epochs,
            long seed,
            boolean flip,
            Backend backend) {
        this.backend = backend;
        this.classifier = classifier;
        this.logits = logits;
        parameters = classifier.parameters();
        adam = Adam.adamW(parameters, 0.9, 0.999, 1e-8, DECAY);
        loader = DataLoader.over(data, BATCH, seed).randomFlips(flip).open();
        image = Shape.of(1, data.height(), data.width(), data.channels());
        steps = Math.max(1, Math.round(epochs * loader.batchesPerEpoch()));
        long warmup = steps / 10;
        LearningRate cosine = LearningRate.cosine(PEAK, steps - warmup);
        LearningRate later = s -> cosine.at(Math.max(0, s - warmup));
        rate = later.warmedUp(warmup);
    }

    /** The eye of the evaluation, on clear images, mirrored half the time; its tensors join the innermost scope. */
    public static ClassifierTraining<Classifier> ofImages(Dataset data, double epochs, long seed, Backend backend) {
        Rng rng = new Rng(seed);
        Classifier eye = new Classifier(init(seed, backend), () -> rng);
        return new ClassifierTraining<>(
                eye, x0 -> eye.logits(eye.features(Variable.constant(x0))), data, epochs, seed, true, backend);
    }

    /**
     * A guide for one noise schedule, on images with the noise of a timestep of their own (Dhariwal and Nichol 2021); its
     * tensors join the innermost scope.
     *
     * @param flip whether images are mirrored half the time
     */
    public static ClassifierTraining<NoisyClassifier> ofNoisyImages(
            Dataset data, GaussianDiffusion diffusion, boolean flip, double epochs, long seed, Backend backend) {
        Rng rng = new Rng(seed);
        NoisyClassifier guide = new NoisyClassifier(
                data.height(), data.width(), data.channels(), Labels.count(data), init(seed, backend));
        Distribution timesteps = Distribution.integers(diffusion.schedule().timesteps());
        return new ClassifierTraining<>(
                guide,
                x0 -> {
                    Tensor t = rng.draw(
                            timesteps, backend, DType.F32, Shape.of(x0.shape().get(0)));
                    Tensor xt = diffusion.qSample(x0, t, rng.normalLike(x0));
                    return guide.logits(Variable.constant(xt), Variable.constant(t));
                },
                data,
                epochs,
                seed,
                flip,
                backend);
    }

    private static Init init(long seed, Backend backend) {
        return Init.pytorch(backend, DType.F32, new Rng(seed ^ INIT_STREAM));
    }

    /** Updates in all. */
    public long steps() {
        return steps;
    }

    /** Updates done. */
    public long step() {
        return step;
    }

    public C classifier() {
        return classifier;
    }

    /** One update; the mean loss of its batch. */
    public double update() {
        try (Scope scope = Scope.open("step");
                Tape tape = Tape.start()) {
            Batch batch = loader.next();
            int n = batch.count();
            Tensor x = Tensor.empty(backend, DType.F32, image.with(0, n));
            backend.upload(Arrays.copyOf(batch.pixels(), x.shape().size()), x);
            float[] labels = new float[n];
            for (int i = 0; i < n; i++) labels[i] = batch.labels()[i];
            Variable label = Variable.constant(Tensor.of(backend, Shape.of(n), labels));
            Variable loss = mean(crossEntropy(logits.apply(x), label));
            Updates updates = Updates.of(parameters, tape.backward(loss));
            adam.step(updates, rate.at(step++), Updates.clipFactor(updates.norm(), LIMIT));
            return loss.item();
        }
    }

    @Override
    public void close() {
        loader.close();
    }
}
