package tensor;

import java.util.Arrays;

/**
 * The extents of an array, outermost first; immutable. Every extent is at least 1; rank 0 is a scalar (one element).
 *
 * <p>Images are <b>channels last</b>, {@code [N, H, W, C]}, and filters {@code [K, R, S, C]}; papers and PyTorch write
 * {@code [N, C, H, W]} and {@code [K, C, R, S]}. Elements are contiguous in row-major order, so the last extent varies
 * fastest and {@code [N, H, W, C]} read as {@code [N, H·W, C]} is the same memory.
 */
public final class Shape {
    /** Largest number of elements one array may have: it must fit a Java array. */
    public static final long MAX_SIZE = Integer.MAX_VALUE - 8;

    /** Rank 0, one element. */
    public static final Shape SCALAR = new Shape();

    private final int[] extents;
    private final int size;

    private Shape(int... extents) {
        long size = 1;
        for (int extent : extents) {
            if (extent < 1) throw new IllegalArgumentException("every extent must be at least 1: " + text(extents));
            size *= extent;
            if (size > MAX_SIZE) throw new IllegalArgumentException("more than 2^31 elements: " + text(extents));
        }
        this.extents = extents;
        this.size = (int) size;
    }

    /** The shape with these extents. */
    public static Shape of(int... extents) {
        return new Shape(extents.clone());
    }

    /** Number of axes. */
    public int rank() {
        return extents.length;
    }

    /** Number of elements: the product of the extents. */
    public int size() {
        return size;
    }

    /** Number of elements at one index of the first axis: of a row of a table [V, …]. */
    public int rowSize() {
        return size / get(0);
    }

    /** Extent of an axis; negative axes count from the end, −1 being the last. */
    public int get(int axis) {
        return extents[place(axis)];
    }

    private int place(int axis) {
        int place = axis < 0 ? extents.length + axis : axis;
        if (place < 0 || place >= extents.length)
            throw new IllegalArgumentException("shape " + this + " has no axis " + axis);
        return place;
    }

    /** A copy of the extents. */
    public int[] toArray() {
        return extents.clone();
    }

    /** This shape with one extent replaced; negative axes count from the end. */
    public Shape with(int axis, int extent) {
        int[] changed = extents.clone();
        changed[place(axis)] = extent;
        return new Shape(changed);
    }

    /** This shape seen with {@code rank} axes: ones are put in front, as broadcasting does. */
    public Shape padTo(int rank) {
        if (rank < rank()) throw new IllegalArgumentException(this + " has more than " + rank + " axes");
        int[] padded = new int[rank];
        Arrays.fill(padded, 1);
        System.arraycopy(extents, 0, padded, rank - extents.length, extents.length);
        return new Shape(padded);
    }

    /**
     * The common shape of two broadcast arrays: axes are aligned at the end, and an extent of 1 stretches.
     *
     * @throws IllegalArgumentException when two extents differ and neither is 1
     */
    public Shape broadcast(Shape other) {
        int rank = Math.max(rank(), other.rank());
        Shape a = padTo(rank);
        Shape b = other.padTo(rank);
        int[] joint = new int[rank];
        for (int i = 0; i < rank; i++) {
            if (a.extents[i] != b.extents[i] && a.extents[i] != 1 && b.extents[i] != 1)
                throw new IllegalArgumentException("cannot broadcast " + this + " with " + other);
            joint[i] = Math.max(a.extents[i], b.extents[i]);
        }
        return new Shape(joint);
    }

    /** Whether this shape stretches to {@code target} without changing it. */
    public boolean broadcastsTo(Shape target) {
        if (rank() > target.rank()) return false;
        Shape padded = padTo(target.rank());
        for (int i = 0; i < target.rank(); i++)
            if (padded.extents[i] != target.extents[i] && padded.extents[i] != 1) return false;
        return true;
    }

    /** Element strides of an array of this shape read as if it had the shape {@code target}: 0 along the axes where it is stretched. */
    public long[] stridesIn(Shape target) {
        Shape padded = padTo(target.rank());
        long[] strides = padded.strides();
        for (int i = 0; i < strides.length; i++) if (padded.extents[i] == 1) strides[i] = 0;
        return strides;
    }

    /** The shape of the same size with these extents, of which one may be −1 and is worked out. */
    public Shape resolve(int... target) {
        int[] resolved = target.clone();
        int open = -1;
        int known = 1;
        for (int i = 0; i < resolved.length; i++)
            if (resolved[i] == -1 && open < 0) open = i;
            else known *= resolved[i];
        if (open >= 0 && known > 0) resolved[open] = size / known;
        Shape shape = new Shape(resolved);
        if (shape.size != size) throw new IllegalArgumentException("cannot reshape " + this + " to " + text(target));
        return shape;
    }

    /** Row-major element strides: {@code strides[rank−1] = 1}. */
    public long[] strides() {
        long[] strides = new long[extents.length];
        long stride = 1;
        for (int i = extents.length - 1; i >= 0; i--) {
            strides[i] = stride;
            stride *= extents[i];
        }
        return strides;
    }

    /**
     * Checks the extents and returns this shape; −1 stands for any extent.
     *
     * @throws IllegalArgumentException naming both shapes
     */
    public Shape expect(int... expected) {
        boolean same = expected.length == extents.length;
        for (int i = 0; same && i < expected.length; i++) same = expected[i] == -1 || expected[i] == extents[i];
        if (!same)
            throw new IllegalArgumentException(
                    "expected shape " + text(expected).replace("-1", "*") + ", found " + this);
        return this;
    }

    @Override
    public boolean equals(Object other) {
        return other instanceof Shape shape && Arrays.equals(extents, shape.extents);
    }

    @Override
    public int hashCode() {
        return Arrays.hashCode(extents);
    }

    @Override
    public String toString() {
        return text(extents);
    }

    private static String text(int[] extents) {
        return Arrays.toString(extents);
    }
}
