package ddpm.evaluate;

import static autograd.ops.CrossEntropy.crossEntropy;
import static autograd.ops.Mean.mean;

import autograd.Tape;
import autograd.Variable;
import datasets.Batch;
import datasets.DataLoader;
import datasets.Dataset;
import java.util.Arrays;
import java.util.Map;
import nn.Init;
import nn.Parameter;
import optim.Adam;
import optim.LearningRate;
import optim.Updates;
import tensor.DType;
import tensor.Rng;
import tensor.Shape;
import tensor.Tensor;
import tensor.backend.Backend;
import tensor.memory.Scope;

/**
 * Trains a {@link Classifier}: Adam with decoupled weight decay, the learning rate rising over a tenth of the steps and
 * falling to zero along a cosine, mirrored images half the time. Everything follows from the seed.
 */
public final class ClassifierTraining implements AutoCloseable {
    private static final int BATCH = 128;
    private static final double PEAK = 3e-3;
    private static final double DECAY = 0.02;
    private static final double LIMIT = 1;
    private static final long INIT_STREAM = 0x696e6974L;

    private final Backend backend;
    private final Classifier classifier;
    private final Map<String, Parameter> parameters;
    private final Adam adam;
    private final DataLoader loader;
    private final LearningRate rate;
    private final long steps;
    private final Rng rng;
    private long step;

    /** A fresh training; its tensors join the innermost scope. */
    public ClassifierTraining(Dataset data, double epochs, long seed, Backend backend) {
        this.backend = backend;
        rng = new Rng(seed);
        classifier = new Classifier(Init.pytorch(backend, DType.F32, new Rng(seed ^ INIT_STREAM)), () -> rng);
        parameters = classifier.parameters();
        adam = Adam.adamW(parameters, 0.9, 0.999, 1e-8, DECAY);
        loader = DataLoader.over(data, BATCH, seed).randomFlips(true).open();
        steps = Math.max(1, Math.round(epochs * loader.batchesPerEpoch()));
        long warmup = steps / 10;
        LearningRate cosine = LearningRate.cosine(PEAK, steps - warmup);
        LearningRate later = s -> cosine.at(Math.max(0, s - warmup));
        rate = later.warmedUp(warmup);
    }

    /** Updates in all. */
    public long steps() {
        return steps;
    }

    /** Updates done. */
    public long step() {
        return step;
    }

    public Classifier classifier() {
        return classifier;
    }

    /** One update; the mean loss of its batch. */
    public double update() {
        try (Scope scope = Scope.open("step");
                Tape tape = Tape.start()) {
            Batch batch = loader.next();
            int n = batch.count();
            Tensor x = Tensor.empty(backend, DType.F32, Shape.of(n, Classifier.SIDE, Classifier.SIDE, 1));
            backend.upload(Arrays.copyOf(batch.pixels(), x.shape().size()), x);
            float[] labels = new float[n];
            for (int i = 0; i < n; i++) labels[i] = batch.labels()[i];
            Variable label = Variable.constant(Tensor.of(backend, Shape.of(n), labels));
            Variable logits = classifier.logits(classifier.features(Variable.constant(x)));
            Variable loss = mean(crossEntropy(logits, label));
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
