package tensor.backend.cuda;

/**
 * Tensors for one kernel, cut into pieces, one for each of its thread blocks, so that small and large ones share a launch. A
 * block finds its tensor by the number of the first piece of each.
 */
abstract class Pieces {
    private final int most;
    private final int piece;
    private int count;
    private int pieces;

    /** Room for so many tensors, in pieces of so many elements. */
    Pieces(int most, int piece) {
        this.most = most;
        this.piece = piece;
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
        pieces += (elements - 1) / piece + 1;
    }
}
