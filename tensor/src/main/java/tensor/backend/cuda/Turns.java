package tensor.backend.cuda;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/** The C structure {@code Turns}: filters to be turned round by one kernel, as many as its arguments have room for. */
final class Turns extends Pieces {
    /** Most filters of convolutions. */
    private static final int MOST = 100;
    /** Filters and channels of a thread block. */
    private static final int TILE = 32;
    /** Bytes of one entry: two addresses and four numbers. */
    private static final int ENTRY = 2 * 8 + 4 * 4;
    /** Bytes of the structure: the entries, and how many there are. */
    static final int BYTES = MOST * ENTRY + 8;

    private final ByteBuffer entries = ByteBuffer.allocate(BYTES).order(ByteOrder.nativeOrder());

    Turns() {
        super(MOST, 1);
    }

    /** From w [k, taps, c] to y [c, taps, k]. */
    void add(long w, long y, int k, int taps, int c) {
        int at = count() * ENTRY;
        entries.putLong(at, w).putLong(at + 8, y);
        entries.putInt(at + 16, k).putInt(at + 20, taps).putInt(at + 24, c).putInt(at + 28, pieces());
        count(tiles(k) * tiles(c) * taps);
    }

    private static int tiles(int n) {
        return (n - 1) / TILE + 1;
    }

    void write(ByteBuffer bytes, int at) {
        bytes.put(at, entries.array(), 0, count() * ENTRY);
        bytes.putInt(at + MOST * ENTRY, count());
    }
}
