package tensor.backend.cuda;

import static jcuda.driver.JCudaDriver.cuMemcpyDtoHAsync;

import java.util.LinkedHashSet;
import java.util.Set;
import jcuda.Pointer;
import tensor.Tensor;

/**
 * Rows of a table by index. Whether every index names a row is found out on the device; the host, which is ahead, hears
 * of it when it waits for the device the next time, and throws then.
 */
final class Indices implements AutoCloseable {
    /** What the device's note holds while nothing is wrong. */
    private static final int NONE = Integer.MAX_VALUE;

    private final Engine engine;
    private final Staging staging;
    private final long note;
    private final Device fromNote;
    private final Pinned found = new Pinned(Integer.BYTES);
    private final Pointer toFound = found.pointer(0);
    private final Set<String> unchecked = new LinkedHashSet<>();

    Indices(Engine engine, Staging staging) {
        this.engine = engine;
        this.staging = staging;
        note = engine.context().allocate(4);
        fromNote = new Device(note);
        clear();
    }

    private void clear() {
        staging.upload(1, 4, note, (slot, start, count) -> slot.putInt(0, NONE));
    }

    void gather(Tensor table, Tensor index, Tensor y) {
        int rows = table.shape().get(0);
        int n = index.shape().size();
        int width = table.shape().rowSize();
        engine.launch(Kernel.GATHER, table.dtype())
                .tensor(table)
                .tensor(index)
                .tensor(y)
                .integer(n)
                .integer(width)
                .integer(rows)
                .address(note)
                .flat((long) n * width);
        called("gather", rows);
    }

    void scatterAdd(Tensor index, Tensor dy, Tensor dtable) {
        int rows = dtable.shape().get(0);
        int width = dtable.shape().rowSize();
        engine.launch(Kernel.SCATTER_ADD, dtable.dtype())
                .tensor(index)
                .tensor(dy)
                .tensor(dtable)
                .integer(index.shape().size())
                .integer(width)
                .integer(rows)
                .address(note)
                .flat((long) rows * width);
        called("scatterAdd", rows);
    }

    private void called(String call, int rows) {
        String what = call + " in a table of " + rows + " rows";
        if (engine.recording() != null) engine.recording().indexed(what);
        else unchecked.add(what);
    }

    /** These calls were made. */
    void called(Set<String> calls) {
        unchecked.addAll(calls);
    }

    /** Before the host waits for the device: asks for the note, whose way to the host costs no wait of its own. */
    void ask() {
        if (!unchecked.isEmpty()) send(toFound);
    }

    /** Queues the note to a place of a recording's own, where calls of it look up indices. */
    void send(Pointer to) {
        Status.driver(cuMemcpyDtoHAsync(to, fromNote, Integer.BYTES, engine.context().stream()), "cuMemcpyDtoHAsync");
    }

    /**
     * After that.
     *
     * @throws IllegalArgumentException when an index since the last check named no row
     */
    void check() {
        if (unchecked.isEmpty()) return;
        try {
            check(found.bytes().getInt(0), unchecked);
        } finally {
            unchecked.clear();
        }
    }

    /** The same for these calls, and what the note said after them. */
    void check(int index, Set<String> calls) {
        if (index == NONE) return;
        String what = String.join(", or ", calls);
        clear();
        throw new IllegalArgumentException(
                what + ": index[" + index + "] is not a whole number that names a row, from 0");
    }

    @Override
    public void close() {
        found.close();
        engine.context().free(note, 4);
    }
}
