package tensor.backend.cpu;

import nativelib.OneDnn;
import tensor.Tensor;
import tensor.memory.Buffer;

/**
 * Copies of one filter in the layouts oneDNN's convolutions want, kept beside the filter's buffer: a filter is reordered
 * once for each pass after an update, and not once for each call.
 */
final class FilterCopies implements AutoCloseable {
    private final long handle = OneDnn.newPackedFilters();

    private FilterCopies() {}

    /** The native store that belongs to the memory of w. */
    static long of(Tensor w) {
        Buffer buffer = w.buffer();
        if (buffer.companion() instanceof FilterCopies copies) return copies.handle;
        FilterCopies copies = new FilterCopies();
        buffer.companion(copies);
        return copies.handle;
    }

    @Override
    public void close() {
        OneDnn.freePackedFilters(handle);
    }
}
