package tensor.backend.cuda;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/**
 * Entries for one kernel, such as tensors to be cast, each cut into pieces, one for each of its thread blocks, so that small and
 * large ones share a launch. A block finds its entry by the number of the first piece of each. In C, a structure of the entries
 * and their number, as many as the arguments of a kernel have room for.
 */
abstract class Pieces {
    /** Elements of a piece of tensors; SHORT_PIECE of kernels.h. */
    static final int SHORT = 4096;

    private final int most;
    private final int piece;
    private final int entry;
    private final ByteBuffer entries;
    private int count;
    private int pieces;

    /** Room for so many entries of so many bytes, in pieces of so many elements. */
    Pieces(int most, int entry, int piece) {
        this.most = most;
        this.entry = entry;
        this.piece = piece;
        entries = ByteBuffer.allocate(most * entry).order(ByteOrder.nativeOrder());
    }

    final void clear() {
        count = 0;
        pieces = 0;
    }

    final boolean isEmpty() {
        return count == 0;
    }

    final boolean isFull() {
        return count == most;
    }

    /** Where the next entry is written to, … */
    final ByteBuffer entries() {
        return entries;
    }

    /** … from this byte on. */
    final int end() {
        return count * entry;
    }

    /** Number of all pieces, which is that of the next entry's first. */
    final int pieces() {
        return pieces;
    }

    /** Counts the next entry, of so many elements. */
    final void count(int elements) {
        count++;
        pieces += (elements - 1) / piece + 1;
    }

    /** Bytes of the structure. */
    final int bytes() {
        return most * entry + 8;
    }

    /** Writes the structure. */
    final void write(ByteBuffer to, int at) {
        to.put(at, entries.array(), 0, count * entry);
        to.putInt(at + most * entry, count);
    }
}
