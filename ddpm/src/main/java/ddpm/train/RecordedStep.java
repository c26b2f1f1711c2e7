package ddpm.train;

import java.util.Arrays;
import java.util.function.IntFunction;
import optim.Adam;
import optim.Ema;
import optim.Updates;
import tensor.Rng;
import tensor.Shape;
import tensor.Tensor;
import tensor.backend.Backend;
import tensor.backend.Recording;
import tensor.backend.Region;
import tensor.memory.Scope;

/**
 * The step of a full batch as a device has recorded it: the same calls as step by step, the same bits, one launch. A few
 * steps are done call by call first, so that everything a first call needs is there; a smaller batch at the end of an epoch
 * and accumulated batches always are.
 */
final class RecordedStep implements AutoCloseable {
    /** Steps before one is recorded. */
    private static final int WARM = 2;

    /** A batch on the device: images [N,H,W,C] and, where the network is told them, their labels [N], else {@code null}. */
    record Images(Tensor x0, Tensor labels) {}

    /** What a step computes on the device, from images to gradients. */
    interface Body {
        /** A batch of N → t [N], the loss of each image [N], their mean, and the gradients. */
        Computed compute(Images images);
    }

    /** What one batch gave. */
    record Computed(Tensor t, Tensor losses, Tensor mean, Updates updates) {}

    /** What the host reads of a step: t [N], the loss of each image [N], and ‖gradient‖. */
    record Found(float[] t, float[] losses, double norm) {}

    private final Backend backend;
    private final Body body;
    private final Adam adam;
    private final Ema ema;
    private final double clip;
    private final int full;
    private int seen;
    private boolean declined;
    private Recording recording;
    private Images images;
    /** [2,N]: timesteps, and below them losses, so that the host waits for one copy. */
    private Tensor results;

    /** How far one step moves the random stream. */
    private long draws;

    /** {@code ema} may be {@code null}; {@code full} is the number of images in a full batch. */
    RecordedStep(Backend backend, Body body, Adam adam, Ema ema, double clip, int full) {
        this.backend = backend;
        this.body = body;
        this.adam = adam;
        this.ema = ema;
        this.clip = clip;
        this.full = full;
    }

    /**
     * Whether {@link #begin} may be called for a batch of n images; records the step when it is time to. The tensors of the
     * recording join the innermost scope.
     *
     * @param empty makes room for a batch
     * @param rng the training stream; it is where it was when this returns
     */
    boolean isReady(int n, IntFunction<Images> empty, Rng rng) {
        if (declined || n != full) return false;
        if (recording != null) return true;
        if (seen++ < WARM) return false;
        images = empty.apply(n);
        long before = rng.offset();
        results = images.x0.empty(Shape.of(2, n));
        recording = backend.record(this::record).orElse(null);
        draws = rng.offset() - before;
        rng.restart(before);
        declined = recording == null;
        return !declined;
    }

    private void record(Recording.Recorder recorder) {
        recorder.send(results);
        try (Scope scope = Scope.open("recording")) {
            Computed computed = body.compute(images);
            keep(computed.t, 0);
            keep(computed.losses, 1);
            adam.record(recorder, computed.updates, clip, computed.mean, ema);
        }
    }

    /** Row k of the results ← values [N]. */
    private void keep(Tensor values, int k) {
        backend.copy(Region.of(values, Shape.of(1, full)), Region.of(results).slice(0, k, 1));
    }

    /** A batch goes here before {@link #begin}; the next one can follow as soon as that has returned. */
    Images images() {
        return images;
    }

    /** One step, from the images that lie in {@link #images}; returns before it is done. One more can be begun before it is read. */
    Recording.Replay begin(Rng rng, double learningRate, long step) {
        double decay = ema == null ? 0 : ema.decayAt(step);
        long draw = rng.offset();
        rng.restart(draw + draws);
        return recording.replay(new Recording.Numbers(draw, learningRate, step + 1, decay));
    }

    /** What a step gave; waits for it. */
    Found read(Recording.Replay step) {
        float[] both = step.values();
        return new Found(Arrays.copyOf(both, full), Arrays.copyOfRange(both, full, 2 * full), step.norm());
    }

    @Override
    public void close() {
        if (recording != null) recording.close();
    }
}
