package tensor.backend.cuda;

import tensor.Tensor;

/** The C structure {@code Casts}: tensors to be cast by one kernel. */
final class Casts extends Pieces {
    /** Most tensors. */
    private static final int MOST = 160;
    /** Bytes of one entry: two addresses, the number of elements, the first piece. */
    private static final int ENTRY = 8 + 8 + 4 + 4;

    Casts() {
        super(MOST, ENTRY, SHORT);
    }

    void add(Tensor x, Tensor y) {
        int at = end();
        int n = x.shape().size();
        entries().putLong(at, x.buffer().address()).putLong(at + 8, y.buffer().address());
        entries().putInt(at + 16, n).putInt(at + 20, pieces());
        count(n);
    }
}
