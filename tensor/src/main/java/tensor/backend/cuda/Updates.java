package tensor.backend.cuda;

import static jcuda.driver.JCudaDriver.cuMemcpyDtoHAsync;

import jcuda.Pointer;
import tensor.DType;
import tensor.Tensor;
import tensor.backend.AdamParams;
import tensor.backend.Recording;
import tensor.memory.Buffer;

/**
 * What happens to all parameters at once after a backward pass, a kernel for each call. Numbers that change from step to
 * step (the learning rate, the corrections 1/(1 − βᵗ), the factor on the gradients) are read from a block in device
 * memory, which one small kernel fills.
 */
final class Updates implements AutoCloseable {
    /** Bytes of that block, and where the sum of squares lies in it. */
    private static final int STEP = 64;

    private static final int SQUARES = 32;
    /** For an update that takes place whatever happened to those before. */
    private static final long ANY = -1;

    private static final double NO_AVERAGE = -1;
    /** Its tables are filled anew for other tensors, which a replay would then find there. */
    private static final String BY_ITSELF = "an update that is not the recorder's";

    private final Engine engine;
    private final Staging staging;
    private final long step;
    private final Device fromSquares;
    private final UpdateTable parameters;
    private final UpdateTable averages;
    private final UpdateTable gradients;
    /** The update that was recorded, or {@code null}. */
    private AdamParams recorded;
    /** How many updates of the recording are known to have been left out. */
    private long skipped;

    private final double[] result = new double[1];

    Updates(Engine engine, Staging staging) {
        this.engine = engine;
        this.staging = staging;
        step = engine.context().allocate(STEP);
        fromSquares = new Device(step + SQUARES);
        parameters = new UpdateTable(engine);
        averages = new UpdateTable(engine);
        gradients = new UpdateTable(engine);
        clear(staging);
    }

    private void clear(Staging staging) {
        staging.upload(STEP / 8, 8, step, (slot, start, count) -> {
            for (int i = 0; i < count; i++) slot.putLong(8 * i, 0);
        });
    }

    /** Where the numbers of the step lie. */
    long step() {
        return step;
    }

    private void set(
            long draws, double rate, double correction1, double correction2, double scale, double decay, long known) {
        engine.launch(Kernel.SET_STEP, DType.F32)
                .address(step)
                .wide(draws)
                .number(rate)
                .number(correction1)
                .number(correction2)
                .number(scale)
                .number(decay)
                .wide(known)
                .grid(1, 1, 1, 1, 0);
    }

    /** {@link tensor.backend.Backend#adam}. */
    void adam(AdamParams p, Tensor[] w, Tensor[] dw, Tensor[] m, Tensor[] v) {
        if (w.length == 0) return;
        engine.requireEager(BY_ITSELF);
        parameters.set(w, dw, m, v, null);
        set(
                0,
                p.learningRate(),
                correction(p.beta1(), p.step()),
                correction(p.beta2(), p.step()),
                p.gradientScale(),
                NO_AVERAGE,
                ANY);
        sweep(p);
    }

    private void sweep(AdamParams p) {
        parameters
                .begin(Kernel.ADAM)
                .address(step)
                .number(p.beta1())
                .number(p.beta2())
                .number(p.eps())
                .number(p.decoupled() ? 0 : p.weightDecay())
                .number(p.decoupled() ? p.weightDecay() : 0)
                .grid(parameters.pieces(), 1, 256, 1, 0);
        engine.turned().drop(); // of filters that are no more
    }

    /** {@link tensor.backend.Backend#exponentialAverage}. */
    void exponentialAverage(double decay, Tensor[] average, Tensor[] w) {
        if (w.length == 0) return;
        engine.requireEager(BY_ITSELF);
        averages.set(w, null, null, null, average);
        set(0, 0, 0, 0, 1, decay, ANY);
        averages.begin(Kernel.AVERAGE).address(step).grid(averages.pieces(), 1, 256, 1, 0);
    }

    /** {@link tensor.backend.Backend#sumOfSquares}. */
    double sumOfSquares(Tensor[] x) {
        if (x.length == 0) return 0;
        engine.requireEager("reading a norm");
        addSquares(x, 0, null);
        staging.download(1, 8, step + SQUARES, (slot, start, count) -> result[0] = slot.getDouble(0));
        return result[0];
    }

    /**
     * Queues a copy of the sum of squares, and behind it of the number of updates left out, to this place on the host;
     * returns before they are there.
     */
    void send(Pointer to) {
        Status.driver(
                cuMemcpyDtoHAsync(to, fromSquares, Double.BYTES + Long.BYTES, engine.context().stream()),
                "cuMemcpyDtoHAsync");
    }

    /** So many updates have been left out, as the host knows now, or knew before: those to come are not meant by it. */
    void skipped(long count) {
        skipped = Math.max(skipped, count);
    }

    /** Leaves in the numbers of the step Σ x², the factor min(1, limit/√Σ), and whether Σ and the loss are finite. */
    private void addSquares(Tensor[] x, double limit, Tensor loss) {
        gradients.set(null, x, null, null, null);
        Buffer partial = engine.scratch(8L * gradients.pieces());
        gradients.begin(Kernel.SQUARES).address(partial.address()).grid(gradients.pieces(), 1, 256, 1, 0);
        engine.launch(Kernel.SQUARES_FINISH, DType.F32)
                .address(partial.address())
                .integer(gradients.pieces())
                .address(step)
                .wide(limit)
                .tensor(loss)
                .grid(1, 1, 256, 1, 0);
        partial.release();
    }

    /** An update as a recording wants it: everything that changes is read from the numbers of the step. */
    void recorded(
            AdamParams p,
            double limit,
            Tensor loss,
            Tensor[] w,
            Tensor[] dw,
            Tensor[] m,
            Tensor[] v,
            Tensor[] average) {
        if (recorded != null)
            throw new IllegalStateException("a second update cannot be recorded: a recording has one");
        recorded = p;
        addSquares(dw, limit, loss);
        parameters.set(w, dw, m, v, average);
        sweep(p);
    }

    /** Sets the numbers for a replay of {@link #recorded}. */
    void set(Recording.Numbers now) {
        AdamParams p = recorded;
        set(
                now.draws(),
                now.learningRate(),
                p == null ? 1 : correction(p.beta1(), now.step()),
                p == null ? 1 : correction(p.beta2(), now.step()),
                1,
                now.decay(),
                skipped);
    }

    private static double correction(double beta, long step) {
        return 1 / (1 - Math.pow(beta, step));
    }

    @Override
    public void close() {
        parameters.close();
        averages.close();
        gradients.close();
        engine.context().free(step, STEP);
    }
}
