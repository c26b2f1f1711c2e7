package ddpm.train;

import static autograd.ops.Mean.mean;
import static autograd.ops.Mul.mul;
import static autograd.ops.Scale.scale;

import autograd.Tape;
import autograd.Variable;
import datasets.Batch;
import datasets.DataLoader;
import datasets.Dataset;
import datasets.DatasetException;
import ddpm.diffusion.Denoiser;
import ddpm.diffusion.GaussianDiffusion;
import ddpm.diffusion.LowResolution;
import ddpm.diffusion.Objective;
import ddpm.diffusion.SelfConditioning;
import ddpm.unet.UNet;
import ddpm.unet.UNetConfig;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Map;
import nn.Init;
import nn.Parameter;
import optim.Adam;
import optim.Ema;
import optim.LearningRate;
import optim.Updates;
import tensor.DType;
import tensor.Rng;
import tensor.Shape;
import tensor.Tensor;
import tensor.backend.Backend;
import tensor.backend.BinaryOp;
import tensor.backend.Distribution;
import tensor.backend.Recording;
import tensor.memory.Scope;

/**
 * Everything that changes while a model is trained, and the one step that changes it (Algorithm 1):
 *
 * <pre>x₀ ~ data,  t ~ uniform(0 … T−1),  ε ~ N(0, I);      w ← w − Adam(∇ ‖ε − ε_θ(√ᾱ_t x₀ + √(1−ᾱ_t) ε, t)‖)</pre>
 *
 * The whole state is: weights, their average, Adam's moments, the position in the random stream, and the position in
 * the data. {@link Checkpoint} saves exactly that, so a resumed run goes on bit for bit.
 */
public final class Training implements AutoCloseable {
    /** Streams derived from the seed: initial weights, and everything drawn while training. */
    private static final long INIT_STREAM = 0x696e6974L;

    private static final DType DTYPE = DType.F32;

    private final Settings settings;
    private final Backend backend;
    private final UNet unet;
    private final Map<String, Parameter> parameters;
    private final GaussianDiffusion diffusion;
    private final Objective objective;
    private final LowResolution lowResolution; // null when the network is shown no small picture
    private final TimestepDraw timesteps;
    private final Adam adam;
    private final Ema ema;
    private final DataLoader loader;
    private final Shape image;
    private final RecordedStep recorded;
    private Rng rng;
    private long step;
    private Ahead ahead; // null when the next batch is still to be fetched
    private Begun begun; // null when no step is under way

    /** A batch that was fetched while the device computed the step before, and the position in the data before it. */
    private record Ahead(Batch batch, DataLoader.State position) {}

    /** A step that the device has been given, with the epoch of its batch and its learning rate. */
    private record Begun(Recording.Replay replay, long epoch, double rate) {}

    /** A fresh run; its tensors join the innermost scope. */
    public Training(Settings settings, Dataset data, Backend backend) {
        this.settings = settings;
        this.backend = backend;
        rng = new Rng(settings.seed());
        Init init = Init.pytorch(backend, DTYPE, new Rng(settings.seed() ^ INIT_STREAM));
        UNetConfig network = settings.network(data.height(), data.width(), data.channels());
        if (network.outChannels() != network.channels())
            throw new IllegalArgumentException("this network also predicts variances (" + network.outChannels()
                    + " channels for " + network.channels() + "), which are not trained here");
        int classes = settings.labels() ? Labels.count(data) : 0;
        unet = UNet.build(network, settings.ports(data.channels(), classes), init, () -> rng);
        parameters = unet.parameters();
        diffusion = new GaussianDiffusion(settings.schedule(), backend, DTYPE);
        objective = settings.objective(diffusion);
        lowResolution = settings.enlarges() ? settings.lowResolution(diffusion, data.height(), data.width()) : null;
        timesteps = settings.timestepDraw();
        adam = Adam.adam(parameters);
        ema = settings.ema() == 0 ? null : new Ema(parameters, settings.ema());
        recorded = new RecordedStep(
                backend, images -> gradients(images, null), adam, ema, settings.clip(), settings.batchSize());
        image = Shape.of(1, data.height(), data.width(), data.channels());
        loader = DataLoader.over(data, settings.batchSize(), settings.seed())
                .randomFlips(settings.flip())
                .open();
    }

    /**
     * One update.
     *
     * @throws NonFiniteException when loss or gradients are not finite; nothing has been updated then
     */
    public StepReport step(LearningRate learningRate) {
        return step(learningRate, false);
    }

    /**
     * One update, by a caller who will ask for the next at once: the device may begin that, too, before the host reads the
     * results of this one. It has then changed what a training consists of ({@link #isUnderWay}), so nothing of that may be
     * looked at or saved until the next update has been asked for with {@code more} being false.
     */
    public StepReport step(LearningRate learningRate, boolean more) {
        if (begun != null) return finish(begun, learningRate, more);
        double rate = learningRate.at(step);
        boolean fetched = ahead != null;
        Batch batch = fetched ? ahead.batch : loader.next();
        ahead = null;
        if (!isReplayed(batch)) return compute(batch, rate);
        if (!fetched) upload(batch, recorded.images());
        return finish(begin(batch, rate, step), learningRate, more);
    }

    private StepReport report(long epoch, double rate, Tally tally, double norm) {
        step++;
        return new StepReport(step, epoch, tally.images, tally.loss(), rate, norm, tally.quarters());
    }

    /**
     * Whether the step of this batch is replayed: the host must have nothing to decide in it, and the device must have
     * recorded it, which it does here when it is time to.
     */
    private boolean isReplayed(Batch batch) {
        return settings.accumulate() == 1 && timesteps.isUniform() && recorded.isReady(batch.count(), this::empty, rng);
    }

    /** Call by call. */
    private StepReport compute(Batch batch, double rate) {
        Tally tally = new Tally(settings.timesteps());
        long epoch = batch.epoch(); // the next batch takes its place
        try (Scope scope = Scope.open("step")) {
            Updates updates = gradients(batch, tally);
            if (settings.accumulate() > 1) updates = updates.copy();
            for (int i = 1; i < settings.accumulate(); i++)
                try (Scope more = Scope.open("accumulate")) {
                    updates.add(gradients(loader.next(), tally));
                }
            double norm = updates.norm();
            requireFinite(tally.loss(), norm, updates);
            adam.step(updates, rate, Updates.clipFactor(norm, settings.clip()));
            if (ema != null) ema.update(step);
            return report(epoch, rate, tally, norm);
        }
    }

    /** As the device has recorded it, update included, from the images that are there. */
    private Begun begin(Batch batch, double rate, long step) {
        return new Begun(recorded.begin(rng, rate, step), batch.epoch(), rate);
    }

    /** The results of a step; before the host waits for them, it does what it can for the next. */
    private StepReport finish(Begun now, LearningRate learningRate, boolean more) {
        begun = null;
        boolean sent = fetchAhead();
        if (more && sent) {
            begun = begin(ahead.batch, learningRate.at(step + 1), step + 1);
            ahead = null;
        }
        RecordedStep.Found found = recorded.read(now.replay);
        Tally tally = new Tally(settings.timesteps());
        tally.add(found.t(), found.losses());
        requireFinite(tally.loss(), found.norm(), null);
        adam.restore(step + 1);
        return report(now.epoch, now.rate, tally, found.norm());
    }

    /**
     * Fetches the next batch while the device computes. One that is replayed is sent, too: its images cross the bus
     * meanwhile, and what they replace is overwritten in the order of the calls, after the step that reads it.
     *
     * @return whether it was sent
     */
    private boolean fetchAhead() {
        DataLoader.State position = loader.state();
        try {
            ahead = new Ahead(loader.next(), position);
        } catch (DatasetException e) {
            return false; // concerns the next step, not this one; the loader throws it again when that asks
        }
        if (!isReplayed(ahead.batch)) return false;
        upload(ahead.batch, recorded.images());
        return true;
    }

    private RecordedStep.Images empty(int n) {
        Tensor x0 = Tensor.empty(backend, DTYPE, image.with(0, n));
        return new RecordedStep.Images(x0, settings.labels() ? x0.empty(Shape.of(n)) : null);
    }

    private void upload(Batch batch, RecordedStep.Images images) {
        float[] pixels = batch.pixels();
        int size = images.x0().shape().size(); // fewer in the last batch of an epoch
        backend.upload(pixels.length == size ? pixels : Arrays.copyOf(pixels, size), images.x0());
        if (images.labels() == null) return;
        float[] labels = new float[batch.count()];
        for (int i = 0; i < labels.length; i++) labels[i] = batch.labels()[i];
        backend.upload(labels, images.labels());
    }

    /** The gradients of one batch, divided by the number of batches in an update. */
    private Updates gradients(Batch batch, Tally tally) {
        RecordedStep.Images images = empty(batch.count());
        upload(batch, images);
        return gradients(images, tally).updates();
    }

    /**
     * The same for images that are on the device.
     *
     * @param tally reads the losses as soon as they are known; {@code null} reads nothing
     */
    private RecordedStep.Computed gradients(RecordedStep.Images images, Tally tally) {
        Tensor x0 = images.x0();
        TimestepDraw.Drawn drawn =
                timesteps.draw(rng, backend, DTYPE, x0.shape().get(0));
        Tensor t = drawn.t();
        Tensor eps = noise(x0);
        Denoiser network = told(images, t, eps);
        try (Tape tape = Tape.start()) {
            Variable losses = objective.losses(network, x0, t, eps); // [N]
            Tensor each = copy(losses); // the sweep lets go of what stands on the tape
            if (tally != null) {
                float[] at = t.toFloats();
                float[] values = each.toFloats();
                tally.add(at, values);
                timesteps.seen(at, values);
            }
            if (drawn.weights() != null) losses = mul(losses, Variable.constant(drawn.weights()));
            Variable loss = scale(mean(losses), 1.0 / settings.accumulate());
            Tensor mean = copy(loss);
            return new RecordedStep.Computed(t, each, mean, Updates.of(parameters, tape.backward(loss)));
        }
    }

    private static Tensor copy(Variable x) {
        return x.value().emptyLike().set_(x.value());
    }

    /** ε ~ N(0, I), and with offset noise (of strength s) plus s times one number for each image and channel. */
    private Tensor noise(Tensor x0) {
        Tensor eps = rng.normalLike(x0);
        if (settings.offsetNoise() == 0) return eps;
        Shape one = Shape.of(x0.shape().get(0), 1, 1, x0.shape().get(3));
        return eps.add(rng.draw(Distribution.NORMAL, backend, DTYPE, one).mul(settings.offsetNoise()));
    }

    /** The network with everything that it is told beside x_t and t. */
    private Denoiser told(RecordedStep.Images images, Tensor t, Tensor eps) {
        Denoiser network = unet;
        Tensor x0 = images.x0();
        int n = x0.shape().get(0);
        if (settings.labels()) network = unet.told(dropped(images.labels()));
        if (lowResolution != null) network = network.given(small(x0));
        if (!settings.selfConditions()) return network;
        Tensor half =
                rng.draw(Distribution.keep(0.5), backend, DTYPE, Shape.of(n)).mul(0.5);
        Tensor estimate = SelfConditioning.estimate(
                diffusion, network, settings.target(), diffusion.qSample(x0, t, eps), t, half.reshape(-1, 1, 1, 1));
        return network.given(estimate);
    }

    /** Each image's own small picture, with noise of a timestep of its own. */
    private Tensor small(Tensor x0) {
        Tensor small = lowResolution.shrink(x0);
        Shape n = Shape.of(x0.shape().get(0));
        Tensor s = rng.draw(Distribution.integers(settings.lowNoiseMax() + 1), backend, DTYPE, n);
        return lowResolution.given(small, s, rng.normalLike(small));
    }

    /** The labels, with "none" in the place of the share that is trained without: none + (u ≥ dropout) · (label − none). */
    private Tensor dropped(Tensor labels) {
        int none = unet.ports().classes();
        Tensor u = rng.draw(Distribution.UNIFORM, backend, DTYPE, labels.shape());
        Tensor kept = u.map(BinaryOp.GREATER_EQUAL, u.scalar(settings.labelDropout()));
        return labels.add(-none).mul(kept).add(none);
    }

    private void requireFinite(double loss, double norm, Updates updates) {
        if (Double.isFinite(loss) && Double.isFinite(norm)) return;
        begun = null; // what has been begun since, the device leaves out, too
        String culprit = null;
        for (Map.Entry<String, Parameter> p : parameters.entrySet())
            if (culprit == null
                    && !Double.isFinite(
                            backend.sumOfSquares(new Tensor[] {p.getValue().value()})))
                culprit = "weight " + p.getKey();
        if (culprit == null && !Double.isFinite(loss)) culprit = "loss";
        if (culprit == null) culprit = updates == null ? "gradient" : "gradient of " + updates.firstNonFinite();
        throw new NonFiniteException("step " + (step + 1) + ": the " + culprit
                + " is not finite, so the update was not applied; try a smaller --lr, or --clip 1");
    }

    /** Mean losses, over all images and by quarter of t. */
    private static final class Tally {
        private final int timesteps;
        private final double[] sum = new double[4];
        private final int[] count = new int[4];
        private int images;

        Tally(int timesteps) {
            this.timesteps = timesteps;
        }

        void add(float[] t, float[] losses) {
            images += t.length;
            for (int n = 0; n < t.length; n++) {
                int quarter = (int) (4L * (long) t[n] / timesteps);
                sum[quarter] += losses[n];
                count[quarter]++;
            }
        }

        double loss() {
            return (sum[0] + sum[1] + sum[2] + sum[3]) / images;
        }

        double[] quarters() {
            double[] mean = new double[4];
            for (int q = 0; q < 4; q++) mean[q] = count[q] == 0 ? Double.NaN : sum[q] / count[q];
            return mean;
        }
    }

    public Settings settings() {
        return settings;
    }

    public UNet unet() {
        return unet;
    }

    public GaussianDiffusion diffusion() {
        return diffusion;
    }

    public Backend backend() {
        return backend;
    }

    /** The averaged weights, or {@code null} when the run keeps none. */
    public Ema ema() {
        return ema;
    }

    Adam adam() {
        return adam;
    }

    TimestepDraw timesteps() {
        return timesteps;
    }

    /** Where the next step goes on in the data, whatever has been fetched ahead. */
    DataLoader.State position() {
        requireAtRest();
        return ahead == null ? loader.state() : ahead.position;
    }

    Rng rng() {
        requireAtRest();
        return rng;
    }

    /** Number of updates done; of these, the last one reported. */
    public long step() {
        return step;
    }

    /** Whether the device is at the update after the last one reported. */
    public boolean isUnderWay() {
        return begun != null;
    }

    private void requireAtRest() {
        if (begun != null)
            throw new IllegalStateException(
                    "step " + (step + 1) + " is under way: ask for it, and for no more, before the state is looked at");
    }

    /** Updates in one pass over the data. */
    public long stepsPerEpoch() {
        return Math.max(1, (loader.batchesPerEpoch() + settings.accumulate() - 1) / settings.accumulate());
    }

    /** Starts from the weights in a file instead of random ones. */
    public void initialise(Path weights) throws IOException {
        Checkpoint.load(weights, parameters);
        if (ema != null) ema.restart();
    }

    /** Moves to where a checkpoint was taken; the tensors have been refilled. */
    void restore(long step, Rng rng, DataLoader.State position) {
        requireAtRest();
        this.step = step;
        this.rng = rng;
        loader.restore(position);
        ahead = null;
        adam.restore(step);
    }

    @Override
    public void close() {
        recorded.close();
        loader.close();
    }
}
