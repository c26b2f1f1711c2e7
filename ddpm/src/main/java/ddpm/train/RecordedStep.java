package ddpm.train;

import java.util.function.IntFunction;
import optim.Adam;
import optim.Ema;
import optim.Updates;
import tensor.Rng;
import tensor.Shape;
import tensor.Tensor;
import tensor.backend.Backend;
import tensor.backend.Recording;
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
    private Tensor t;
    private Tensor losses;
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
     * Whether {@link #run} may be called for a batch of n images; records the step when it is time to. The tensors of the
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
        t = images.x0.empty(Shape.of(n));
        losses = t.emptyLike();
        recording = backend.record(this::record).orElse(null);
        draws = rng.offset() - before;
        rng.restart(before);
        declined = recording == null;
        return !declined;
    }

    private void record(Recording.Recorder recorder) {
        try (Scope scope = Scope.open("recording")) {
            Computed computed = body.compute(images);
            t.set_(computed.t);
            losses.set_(computed.losses);
            adam.record(recorder, computed.updates, clip, computed.mean, ema);
        }
    }

    /** A batch goes here. */
    Images images() {
        return images;
    }

    /** One step, from the images that lie in {@link #images}. */
    void run(Rng rng, double learningRate, long step) {
        double decay = ema == null ? 0 : ema.decayAt(step);
        recording.replay(new Recording.Numbers(rng.offset(), learningRate, step + 1, decay));
        rng.restart(rng.offset() + draws);
    }

    /** The timesteps of the last step's images. */
    Tensor timesteps() {
        return t;
    }

    /** The losses of the last step's images. */
    Tensor losses() {
        return losses;
    }

    /** ‖gradient‖ of the last step. */
    double norm() {
        return recording.norm();
    }

    @Override
    public void close() {
        if (recording != null) recording.close();
    }
}
