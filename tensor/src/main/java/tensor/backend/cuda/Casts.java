package tensor.backend.cuda;

import java.nio.ByteBuffer;
import tensor.Tensor;

/** The C structure {@code Casts}: tensors to be rounded or widened by one kernel, as many as its arguments have room for. */
final class Casts extends Pieces {
    /** Most tensors. */
    private static final int MOST = 160;
    /** Elements of a piece; SHORT_PIECE of kernels.h. */
    private static final int PIECE = 4096;
    /** Bytes of the structure: two addresses for each, sizes, first pieces, and how many there are. */
    static final int BYTES = MOST * (8 + 8 + 4 + 4) + 8;

    private final long[] from = new long[MOST];
    private final long[] to = new long[MOST];
    private final int[] size = new int[MOST];
    private final int[] first = new int[MOST];

    Casts() {
        super(MOST, PIECE);
    }

    void add(Tensor x, Tensor y) {
        int i = count();
        from[i] = x.buffer().address();
        to[i] = y.buffer().address();
        size[i] = x.shape().size();
        first[i] = pieces();
        count(size[i]);
    }

    void write(ByteBuffer bytes, int at) {
        for (int i = 0; i < count(); i++) {
            bytes.putLong(at + 8 * i, from[i]);
            bytes.putLong(at + 8 * (MOST + i), to[i]);
            bytes.putInt(at + 16 * MOST + 4 * i, size[i]);
            bytes.putInt(at + 20 * MOST + 4 * i, first[i]);
        }
        bytes.putInt(at + 24 * MOST, count());
    }
}
