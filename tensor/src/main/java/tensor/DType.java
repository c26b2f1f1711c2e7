package tensor;

/** Element type of a {@link Tensor}. Parameters are {@link #F32}, and so is what is computed from them unless {@link #BF16} is asked for; {@link #F64} exists on the reference backend, to check derivatives. */
public enum DType {
    /** The upper half of a binary32, rounded to nearest even: its range with 8 bits of precision. */
    BF16(2),
    /** IEEE 754 binary32. */
    F32(4),
    /** IEEE 754 binary64. */
    F64(8);

    private final int bytes;

    DType(int bytes) {
        this.bytes = bytes;
    }

    /** The type of what must not be rounded so coarsely beside values of this one: sums, statistics, gains, indices. */
    public DType exact() {
        return this == BF16 ? F32 : this;
    }

    /** The bits of a float as BF16, rounded to nearest even; NaN stays NaN. */
    public static short toBf16(float value) {
        int bits = Float.floatToRawIntBits(value);
        if (value != value) return (short) (bits >>> 16 | 0x40);
        return (short) (bits + 0x7fff + (bits >>> 16 & 1) >>> 16);
    }

    /** The float that these bits of BF16 stand for. */
    public static float fromBf16(short bits) {
        return Float.intBitsToFloat(bits << 16);
    }

    /** Size of one element in bytes. */
    public int bytes() {
        return bytes;
    }
}
