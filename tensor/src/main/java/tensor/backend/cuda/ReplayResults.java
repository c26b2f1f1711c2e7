package tensor.backend.cuda;

import static jcuda.driver.JCudaDriver.*;

import java.nio.ByteBuffer;
import java.nio.FloatBuffer;
import java.util.Set;
import jcuda.Pointer;
import jcuda.driver.CUevent;
import tensor.Tensor;
import tensor.backend.Recording;

/**
 * Where the results of a replay arrive on the host: copies that are queued behind it, and an event behind them, so that the
 * host can wait for this replay while the device goes on with the next.
 */
final class ReplayResults implements AutoCloseable {
    // bytes of the block: Σ dw², the number of updates left out, whether an index was wrong, values
    private static final int SKIPPED = 8;
    private static final int NOTE = 16;
    private static final int VALUES = 24;

    private final Engine engine;
    private final Updates updates;
    private final Indices indices;
    private final Set<String> indexed;
    private final Tensor sent;
    private final Pinned block;
    // where the copies go and come from, made once and not for each replay
    private final Pointer toSquares;
    private final Pointer toNote;
    private final Pointer toValues;
    private final Device fromSent;
    private final FloatBuffer received;
    private final CUevent arrived = new CUevent();
    private Recording.Replay last;

    /**
     * @param indexed the recorded calls that look up indices
     * @param sent the tensor whose values are sent, or {@code null}
     */
    ReplayResults(Engine engine, Updates updates, Indices indices, Set<String> indexed, Tensor sent) {
        this.engine = engine;
        this.updates = updates;
        this.indices = indices;
        this.indexed = indexed;
        this.sent = sent;
        block = new Pinned(VALUES + bytes());
        toSquares = block.pointer(0);
        toNote = block.pointer(NOTE);
        toValues = block.pointer(VALUES);
        fromSent = sent == null ? null : new Device(sent.buffer().address());
        received = block.bytes()
                .slice(VALUES, bytes())
                .order(block.bytes().order())
                .asFloatBuffer();
        Status.driver(cuEventCreate(arrived, 2), "cuEventCreate"); // no times
    }

    private int bytes() {
        return sent == null ? 0 : sent.shape().size() * Float.BYTES;
    }

    /** Queues the copies, in the place of those of a replay before. */
    Recording.Replay send() {
        updates.send(toSquares);
        if (!indexed.isEmpty()) indices.send(toNote);
        if (sent != null)
            Status.driver(
                    cuMemcpyDtoHAsync(
                            toValues, fromSent, bytes(), engine.context().main()),
                    "cuMemcpyDtoHAsync");
        Status.driver(cuEventRecord(arrived, engine.context().main()), "cuEventRecord");
        last = new Recording.Replay() {
            @Override
            public float[] values() {
                await(this);
                float[] values = new float[received.capacity()];
                received.get(0, values);
                return values;
            }

            @Override
            public double norm() {
                return Math.sqrt(await(this).getDouble(0));
            }
        };
        return last;
    }

    private ByteBuffer await(Recording.Replay replay) {
        if (replay != last)
            throw new IllegalStateException("what this replay has sent is lost: it can be asked for until a second"
                    + " replay is begun after it, or the recording is closed");
        engine.requireEager("reading what a replay has sent");
        engine.context().enter();
        Status.driver(cuEventSynchronize(arrived), "cuEventSynchronize");
        updates.skipped(block.bytes().getLong(SKIPPED));
        if (!indexed.isEmpty()) indices.check(block.bytes().getInt(NOTE), indexed);
        return block.bytes();
    }

    @Override
    public void close() {
        last = null;
        block.close();
        Status.driver(cuEventDestroy(arrived), "cuEventDestroy");
    }
}
