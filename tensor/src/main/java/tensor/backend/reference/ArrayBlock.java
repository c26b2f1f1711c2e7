package tensor.backend.reference;

import java.util.Arrays;
import java.util.concurrent.atomic.AtomicLong;
import tensor.DType;
import tensor.memory.Buffer;

/**
 * The storage of one reference tensor: a {@code float[]} (which BF16 uses the upper halves of) or a {@code double[]} on the
 * Java heap. Arithmetic sees doubles
 * only: {@link #read} widens, {@link #store} rounds once. For {@link DType#F64} both are the array itself.
 *
 * <p>A new block holds NaN, so that a value which nobody wrote shows.
 */
final class ArrayBlock implements Buffer.Block {
    private final long bytes;
    private final AtomicLong live;
    private final DType dtype;
    private float[] floats;
    private double[] doubles;

    ArrayBlock(DType dtype, int elements, AtomicLong live) {
        this.dtype = dtype;
        if (dtype != DType.F64) Arrays.fill(floats = new float[elements], Float.NaN);
        else Arrays.fill(doubles = new double[elements], Double.NaN);
        this.bytes = (long) elements * dtype.bytes();
        this.live = live;
    }

    /** The elements: for F64 the array itself, for F32 a widened copy. */
    double[] read() {
        if (doubles != null) return doubles;
        double[] wide = new double[floats.length];
        for (int i = 0; i < wide.length; i++) wide[i] = floats[i];
        return wide;
    }

    /** Room for new elements, to be handed to {@link #store} when all are written; contents undefined. */
    double[] room() {
        return doubles != null ? doubles : new double[floats.length];
    }

    /** Takes over what was computed in {@link #room} or in a copy, each element rounded once. */
    void store(double[] values) {
        if (doubles == null) for (int i = 0; i < floats.length; i++) floats[i] = rounded((float) values[i]);
        else if (values != doubles) System.arraycopy(values, 0, doubles, 0, doubles.length);
    }

    /** Takes over floats, each rounded once where the type is coarser. */
    void store(float[] values) {
        if (floats != null) for (int i = 0; i < floats.length; i++) floats[i] = rounded(values[i]);
        else for (int i = 0; i < doubles.length; i++) doubles[i] = values[i];
    }

    private float rounded(float value) {
        return dtype == DType.BF16 ? DType.fromBf16(DType.toBf16(value)) : value;
    }

    /** Copies the elements out, rounded to float. */
    void copyTo(float[] target) {
        if (floats != null) System.arraycopy(floats, 0, target, 0, floats.length);
        else for (int i = 0; i < doubles.length; i++) target[i] = (float) doubles[i];
    }

    /** Copies the elements out. */
    void copyTo(double[] target) {
        System.arraycopy(read(), 0, target, 0, target.length);
    }

    /** 0: a Java array has no fixed address. */
    @Override
    public long address() {
        return 0;
    }

    @Override
    public long bytes() {
        return bytes;
    }

    @Override
    public void free() {
        floats = null;
        doubles = null;
        live.addAndGet(-bytes);
    }

    @Override
    public void freeAbandoned() {
        free();
    }
}
