package tensor.backend.cuda;

import tensor.DType;
import tensor.Tensor;

/**
 * A row-major matrix in device memory, or the first of a batch of them.
 *
 * @param dtype type of its elements
 * @param address where it starts
 * @param row elements between the starts of two rows
 * @param next elements between two matrices of the batch; 0 where one serves all
 */
record Matrix(DType dtype, long address, int row, long next) {
    /** The whole tensor, read in rows of this width. */
    static Matrix of(Tensor t, int width) {
        return of(t, width, 0);
    }

    /** A batch in a tensor. */
    static Matrix of(Tensor t, int row, long next) {
        return new Matrix(t.dtype(), t.buffer().address(), row, next);
    }

    /** The batch that starts {@code offset} elements further on. */
    Matrix at(long offset) {
        return new Matrix(dtype, address + offset * dtype.bytes(), row, next);
    }
}
