package tensor.backend.cuda;

import java.nio.ByteBuffer;
import tensor.backend.Region;

/**
 * A box of indices with two element strides for each axis, as kernels want it: axes of extent 1 left out, neighbours that
 * form one run in both arrays merged, at most 6 left. One object is filled again and again.
 */
final class Axes {
    /** Most axes a kernel takes. */
    static final int MOST = 6;
    /** Bytes of the C structure: rank, then three arrays. */
    static final int BYTES = 4 * (1 + 3 * MOST);

    private final int[] size = new int[64];
    private final long[] first = new long[64];
    private final long[] second = new long[64];
    private int rank;

    /** Empties the box: one element. */
    Axes clear() {
        rank = 0;
        return this;
    }

    /** Those of a copy. */
    Axes of(Region from, Region to) {
        clear();
        for (int i = 0; i < to.sizes().length; i++) add(to.sizes()[i], from.strides()[i], to.strides()[i]);
        return this;
    }

    /** Adds an axis inside those that are there. */
    Axes add(int extent, long firstStride, long secondStride) {
        if (extent == 1) return this;
        boolean run = rank > 0 && first[rank - 1] == firstStride * extent && second[rank - 1] == secondStride * extent;
        if (run) {
            size[rank - 1] *= extent;
            first[rank - 1] = firstStride;
            second[rank - 1] = secondStride;
        } else {
            size[rank] = extent;
            first[rank] = firstStride;
            second[rank] = secondStride;
            rank++;
        }
        return this;
    }

    /** Number of axes; 0 for one element. */
    int rank() {
        return rank;
    }

    /** Extent of an axis, counted from the innermost, 0. */
    int size(int axis) {
        return size[rank - 1 - axis];
    }

    /** Elements between neighbours along an axis, counted from the innermost, in the first array. */
    long first(int axis) {
        return first[rank - 1 - axis];
    }

    /** Number of elements. */
    int count() {
        int count = 1;
        for (int i = 0; i < rank; i++) count *= size[i];
        return count;
    }

    /**
     * Writes the C structure, innermost axis first; a box of one element has one axis of extent 1.
     *
     * @throws IllegalArgumentException when more than {@link #MOST} axes are left
     */
    void write(ByteBuffer to, int at) {
        if (rank > MOST)
            throw new IllegalArgumentException(rank + " axes that form no runs, the backend cuda has at most " + MOST
                    + "; join neighbouring ones");
        to.putInt(at, Math.max(1, rank));
        for (int i = 0; i < Math.max(1, rank); i++) {
            int axis = rank - 1 - i;
            to.putInt(at + 4 * (1 + i), axis < 0 ? 1 : size[axis]);
            to.putInt(at + 4 * (1 + MOST + i), axis < 0 ? 0 : (int) first[axis]);
            to.putInt(at + 4 * (1 + 2 * MOST + i), axis < 0 ? 0 : (int) second[axis]);
        }
    }
}
