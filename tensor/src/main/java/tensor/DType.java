package tensor;

/** Element type of a {@link Tensor}. Training computes in {@link #F32}; {@link #F64} exists on the reference backend, to check derivatives. */
public enum DType {
    /** IEEE 754 binary32. */
    F32(4),
    /** IEEE 754 binary64. */
    F64(8);

    private final int bytes;

    DType(int bytes) {
        this.bytes = bytes;
    }

    /** Size of one element in bytes. */
    public int bytes() {
        return bytes;
    }
}
