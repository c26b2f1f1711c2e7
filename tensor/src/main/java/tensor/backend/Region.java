package tensor.backend;

import java.util.Arrays;
import java.util.stream.IntStream;
import tensor.Shape;
import tensor.Tensor;

/**
 * A strided box of elements within a tensor, for {@link Backend#copy}: element (i₀, i₁, …) lies at
 * {@code offset + Σ iₖ · strides[k]}. Slices, permutations and repetitions (stride 0) are regions; they are never
 * tensors.
 *
 * @param tensor where the elements lie
 * @param offset element index of the first one
 * @param sizes extents of the box
 * @param strides element strides, one for each extent
 */
public record Region(Tensor tensor, long offset, int[] sizes, long[] strides) {
    public Region {
        long last = offset;
        if (sizes.length != strides.length) throw new IllegalArgumentException("sizes and strides differ in length");
        for (int i = 0; i < sizes.length; i++) {
            if (sizes[i] < 1 || strides[i] < 0) throw new IllegalArgumentException("bad region of " + tensor.shape());
            last += (sizes[i] - 1) * strides[i];
        }
        if (offset < 0 || last >= tensor.shape().size())
            throw new IllegalArgumentException("region reaches element " + last + " of " + tensor.shape());
    }

    /** The whole tensor. */
    public static Region of(Tensor tensor) {
        return of(tensor, tensor.shape());
    }

    /** The whole tensor read with another shape of the same size. */
    public static Region of(Tensor tensor, Shape shape) {
        return new Region(tensor, 0, shape.toArray(), shape.strides());
    }

    /** {@code length} indices of one axis, from {@code start}; a negative axis counts from the end. */
    public Region slice(int axis, int start, int length) {
        int a = axis < 0 ? sizes.length + axis : axis;
        if (a < 0 || a >= sizes.length)
            throw new IllegalArgumentException("no axis " + axis + " in a region of " + sizes.length);
        if (start < 0 || length < 1 || start + length > sizes[a])
            throw new IllegalArgumentException(
                    "slice " + start + ".." + (start + length) + " of an axis of " + sizes[a]);
        int[] cut = sizes.clone();
        cut[a] = length;
        return new Region(tensor, offset + start * strides[a], cut, strides);
    }

    /** Axes in another order: axis k of the result is axis {@code order[k]} of this. */
    public Region permute(int... order) {
        int[] sorted = order.clone();
        Arrays.sort(sorted);
        if (!Arrays.equals(sorted, IntStream.range(0, sizes.length).toArray()))
            throw new IllegalArgumentException(
                    Arrays.toString(order) + " is not an order of the " + sizes.length + " axes");
        int[] size = new int[order.length];
        long[] stride = new long[order.length];
        for (int k = 0; k < order.length; k++) {
            size[k] = sizes[order[k]];
            stride[k] = strides[order[k]];
        }
        return new Region(tensor, offset, size, stride);
    }

    /** An axis of extent 1 read {@code times} times. */
    public Region repeat(int axis, int times) {
        if (sizes[axis] != 1) throw new IllegalArgumentException("only an axis of extent 1 can be repeated");
        int[] size = sizes.clone();
        long[] stride = strides.clone();
        size[axis] = times;
        stride[axis] = 0;
        return new Region(tensor, offset, size, stride);
    }
}
