package tensor.backend.reference;

/**
 * The walk through a box of indices that strided calls share. Several arrays are visited at once: element (i₀, …, iₙ)
 * of array k lies at {@code offset[k] + Σ iⱼ · strides[k][j]}, and a stride of 0 stays where it is, which is all there
 * is to broadcasting.
 */
final class Rows {
    /** Works along the last axis, from these places on. */
    interface Row {
        /**
         * @param at place of the row's first element in each array
         * @param step distance of its elements in each array
         * @param length number of its elements
         */
        void visit(int[] at, int[] step, int length);
    }

    private Rows() {}

    /** Visits every row of the box, in row-major order; a box of rank 0 is one row of one element. */
    static void forEach(int[] sizes, long[] offsets, long[][] strides, Row row) {
        int arrays = offsets.length;
        int last = sizes.length - 1;
        int[] at = new int[arrays];
        int[] step = new int[arrays];
        for (int k = 0; k < arrays; k++) {
            at[k] = Math.toIntExact(offsets[k]);
            step[k] = last < 0 ? 0 : (int) strides[k][last];
        }
        int length = last < 0 ? 1 : sizes[last];
        int[] index = new int[sizes.length];
        while (true) {
            row.visit(at, step, length);
            int axis = last - 1;
            while (axis >= 0 && ++index[axis] == sizes[axis]) { // carry, as an odometer does
                for (int k = 0; k < arrays; k++) at[k] -= (int) ((sizes[axis] - 1) * strides[k][axis]);
                index[axis--] = 0;
            }
            if (axis < 0) return;
            for (int k = 0; k < arrays; k++) at[k] += (int) strides[k][axis];
        }
    }
}
