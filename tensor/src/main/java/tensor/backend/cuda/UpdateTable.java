package tensor.backend.cuda;

import static jcuda.driver.JCudaDriver.*;

import java.nio.ByteBuffer;
import java.util.Arrays;
import jcuda.driver.CUevent;
import jcuda.driver.CUstream;
import tensor.DType;
import tensor.Tensor;

/**
 * All parameters of an update as one array in device memory, so that one kernel serves them all: an entry for each with
 * its addresses, and a piece for every {@link #PIECE} elements, which is what one thread block works on. In steady
 * training the addresses are those of the step before, and nothing is sent.
 */
final class UpdateTable implements AutoCloseable {
    /** Elements for one thread block. */
    private static final int PIECE = 8192;
    /** Numbers of an entry: addresses of w, dw, m, v, average, then n, and whether dw is bfloat16. */
    private static final int NUMBERS = 7;

    private static final int ENTRY = NUMBERS * Long.BYTES;

    private static final int PIECE_BYTES = 8;

    private final CudaContext context;
    private final Engine engine;
    private final CUevent sent = new CUevent();
    private long[] key = {};
    private int pieces;
    private int entries;
    private Pinned host;
    private long device;

    UpdateTable(Engine engine) {
        this.engine = engine;
        this.context = engine.context();
        Status.driver(cuEventCreate(sent, 2), "cuEventCreate");
    }

    /** Fills the table; the arrays are {@code null} or of one length. */
    void set(Tensor[] w, Tensor[] dw, Tensor[] m, Tensor[] v, Tensor[] average) {
        Tensor[][] columns = {w, dw, m, v, average};
        Tensor[] sizes = w != null ? w : dw;
        long[] wanted = new long[NUMBERS * sizes.length];
        for (int i = 0; i < sizes.length; i++) {
            for (int k = 0; k < columns.length; k++)
                wanted[NUMBERS * i + k] =
                        columns[k] == null ? 0 : columns[k][i].buffer().address();
            wanted[NUMBERS * i + 5] = sizes[i].shape().size();
            wanted[NUMBERS * i + 6] = dw != null && dw[i].dtype() == DType.BF16 ? 1 : 0;
        }
        if (Arrays.equals(wanted, key)) return;
        key = wanted;
        entries = sizes.length;
        send();
    }

    private void send() {
        pieces = 0;
        for (int i = 0; i < entries; i++) pieces += pieces(size(i));
        int bytes = ENTRY * entries + PIECE_BYTES * pieces;
        Status.driver(cuEventSynchronize(sent), "cuEventSynchronize");
        if (host == null || host.bytes().capacity() < bytes) {
            release();
            host = new Pinned(bytes);
            device = context.allocate(bytes);
        }
        ByteBuffer to = host.bytes();
        int at = ENTRY * entries;
        for (int i = 0; i < entries; i++) {
            for (int k = 0; k < NUMBERS; k++) to.putLong(ENTRY * i + Long.BYTES * k, key[NUMBERS * i + k]);
            for (int piece = 0; piece < pieces(size(i)); piece++, at += PIECE_BYTES)
                to.putInt(at, i).putInt(at + 4, piece * PIECE);
        }
        // for a recording at once: it is not part of what is replayed, and nobody else uses the table
        CUstream stream = engine.recording() == null ? context.stream() : context.copies();
        Status.driver(cuMemcpyHtoDAsync(new Device(device), host.pointer(0), bytes, stream), "cuMemcpyHtoDAsync");
        Status.driver(cuEventRecord(sent, stream), "cuEventRecord");
        if (engine.recording() != null) Status.driver(cuEventSynchronize(sent), "cuEventSynchronize");
    }

    private int size(int entry) {
        return (int) key[NUMBERS * entry + 5];
    }

    private static int pieces(int size) {
        return (size - 1) / PIECE + 1; // a size may be close to 2³¹
    }

    /** The arguments that every kernel over a table begins with. */
    Launch begin(Kernel kernel) {
        return engine.launch(kernel, DType.F32).address(device).address(device + (long) ENTRY * entries);
    }

    /** Number of thread blocks. */
    int pieces() {
        return pieces;
    }

    private void release() {
        if (host == null) return;
        context.free(device, host.bytes().capacity());
        host.close();
    }

    @Override
    public void close() {
        Status.driver(cuEventSynchronize(sent), "cuEventSynchronize");
        release();
        Status.driver(cuEventDestroy(sent), "cuEventDestroy");
    }
}
