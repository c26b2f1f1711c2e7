package tensor.backend.cuda;

import java.nio.ByteBuffer;
import tensor.backend.Region;

/** The C structure {@code Copies}: regions to be copied by one kernel, as many as its arguments have room for. */
final class Copies extends Pieces {
    /** Most regions. */
    private static final int MOST = 38;
    /** Elements of a piece; SHORT_PIECE of kernels.h. */
    private static final int PIECE = 4096;
    /** Bytes of one entry: two addresses, the number of elements, the first piece, and where the elements lie. */
    private static final int ENTRY = 8 + 8 + 4 + 4 + Axes.BYTES + 4;
    /** Bytes of the structure: the entries, and how many there are. */
    static final int BYTES = MOST * ENTRY + 8;

    private final ByteBuffer entries = ByteBuffer.allocate(BYTES).order(java.nio.ByteOrder.nativeOrder());
    private final Axes axes = new Axes();

    Copies() {
        super(MOST, PIECE);
    }

    void add(Region from, Region to) {
        int at = count() * ENTRY;
        int n = axes.of(from, to).count();
        entries.putLong(at, Movement.start(from)).putLong(at + 8, Movement.start(to));
        entries.putInt(at + 16, n).putInt(at + 20, pieces());
        axes.write(entries, at + 24);
        count(n);
    }

    void write(ByteBuffer bytes, int at) {
        bytes.put(at, entries.array(), 0, count() * ENTRY);
        bytes.putInt(at + MOST * ENTRY, count());
    }
}
