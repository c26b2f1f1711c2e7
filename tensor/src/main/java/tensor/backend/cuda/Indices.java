package tensor.backend.cuda;

import java.util.LinkedHashSet;
import java.util.Set;
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
    private final Set<String> unchecked = new LinkedHashSet<>();
    private final int[] found = new int[1];

    Indices(Engine engine, Staging staging) {
        this.engine = engine;
        this.staging = staging;
        note = engine.context().allocate(4);
        clear();
    }

    private void clear() {
        staging.upload(1, 4, note, (slot, start, count) -> slot.putInt(0, NONE));
    }

    void gather(Tensor table, Tensor index, Tensor y) {
        int rows = table.shape().get(0);
        int n = index.shape().size();
        int width = table.shape().size() / rows;
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
        int width = dtable.shape().size() / rows;
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

    /**
     * To be called when the host waits for the device anyway.
     *
     * @throws IllegalArgumentException when an index since the last check named no row
     */
    void check() {
        if (unchecked.isEmpty()) return;
        staging.download(1, 4, note, (slot, start, count) -> found[0] = slot.getInt(0));
        String what = String.join(", or ", unchecked);
        unchecked.clear();
        if (found[0] == NONE) return;
        clear();
        throw new IllegalArgumentException(
                what + ": index[" + found[0] + "] is not a whole number that names a row, from 0");
    }

    @Override
    public void close() {
        engine.context().free(note, 4);
    }
}
