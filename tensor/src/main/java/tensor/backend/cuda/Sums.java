package tensor.backend.cuda;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/** The C structure {@code Sums}: last stages of sums for one kernel, as many as its arguments have room for. */
final class Sums extends Pieces {
    /** Most sums. */
    private static final int MOST = 80;
    /** Outputs of a thread block. */
    private static final int PIECE = 32;
    /** Bytes of one entry: three addresses, five numbers, and what fills it up to whole addresses. */
    private static final int ENTRY = 3 * 8 + 6 * 4;
    /** Bytes of the structure: the entries, and how many there are. */
    static final int BYTES = MOST * ENTRY + 8;

    private final ByteBuffer entries = ByteBuffer.allocate(BYTES).order(ByteOrder.nativeOrder());

    Sums() {
        super(MOST, PIECE);
    }

    /** From partial [slices, outputs] to the first {@code split} outputs at y and the others at rest. */
    void add(long partial, long y, long rest, int outputs, int slices, int split, boolean half) {
        int at = count() * ENTRY;
        entries.putLong(at, partial).putLong(at + 8, y).putLong(at + 16, rest);
        entries.putInt(at + 24, outputs).putInt(at + 28, slices).putInt(at + 32, split);
        entries.putInt(at + 36, half ? 1 : 0).putInt(at + 40, pieces());
        count(outputs);
    }

    void write(ByteBuffer bytes, int at) {
        bytes.put(at, entries.array(), 0, count() * ENTRY);
        bytes.putInt(at + MOST * ENTRY, count());
    }
}
