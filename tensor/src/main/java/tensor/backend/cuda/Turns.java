package tensor.backend.cuda;

/** The C structure {@code Turns}: filters to be turned round by one kernel. */
final class Turns extends Pieces {
    /** Most filters of convolutions. */
    private static final int MOST = 100;
    /** Bytes of one entry: two addresses and four numbers. */
    private static final int ENTRY = 2 * 8 + 4 * 4;
    /** Filters and channels of a thread block. */
    private static final int TILE = 32;

    Turns() {
        super(MOST, ENTRY, 1); // tiles are what is counted
    }

    /** From w [k, taps, c] to y [c, taps, k]. */
    void add(long w, long y, int k, int taps, int c) {
        int at = end();
        entries().putLong(at, w).putLong(at + 8, y);
        entries().putInt(at + 16, k).putInt(at + 20, taps).putInt(at + 24, c).putInt(at + 28, pieces());
        count(tiles(k) * tiles(c) * taps);
    }

    private static int tiles(int n) {
        return (n - 1) / TILE + 1;
    }
}
