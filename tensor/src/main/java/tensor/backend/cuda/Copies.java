package tensor.backend.cuda;

import tensor.backend.Region;

/** The C structure {@code Copies}: regions to be copied by one kernel. */
final class Copies extends Pieces {
    /** Most regions. */
    private static final int MOST = 38;
    /** Bytes of one entry: two addresses, the number of elements, the first piece, and where the elements lie. */
    private static final int ENTRY = 8 + 8 + 4 + 4 + Axes.BYTES + 4;

    private final Axes axes = new Axes();

    Copies() {
        super(MOST, ENTRY, SHORT);
    }

    void add(Region from, Region to) {
        int at = end();
        int n = axes.of(from, to).count();
        entries().putLong(at, Movement.start(from)).putLong(at + 8, Movement.start(to));
        entries().putInt(at + 16, n).putInt(at + 20, pieces());
        axes.write(entries(), at + 24);
        count(n);
    }
}
