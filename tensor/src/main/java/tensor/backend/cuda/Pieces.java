package tensor.backend.cuda;

/**
 * Tensors for one kernel, cut into pieces, one for each of its thread blocks, so that small and large ones share a launch. A
 * block finds its tensor by the number of the first piece of each.
 */
abstract class Pieces {
    /** Elements of a piece; SHORT_PIECE of kernels.h. */
    private static final int PIECE = 4096;

    private final int most;
    private int count;
    private int pieces;

    /** Room for so many tensors. */
    Pieces(int most) {
        this.most = most;
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

    /** How many there are. */
    final int count() {
        return count;
    }

    /** Number of their pieces, which is that of the next one's first. */
    final int pieces() {
        return pieces;
    }

    /** Counts one more, of so many elements. */
    final void count(int elements) {
        count++;
        pieces += (elements - 1) / PIECE + 1;
    }
}
