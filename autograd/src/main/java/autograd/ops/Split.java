package autograd.ops;

import autograd.JointOp;
import autograd.Tape;
import autograd.Variable;
import java.util.Arrays;
import tensor.Tensor;
import tensor.backend.Region;

/**
 * A tensor cut into parts of these lengths along an axis, all of it, in order; dx has each dy in its place. The transpose of
 * {@link Concat}. Keeps: nothing.
 */
public record Split(int axis, int... lengths) implements JointOp {
    public static Variable[] split(Variable x, int axis, int... lengths) {
        return Tape.recordAll(new Split(axis, lengths), x);
    }

    @Override
    public Result apply(Tensor... in) {
        Tensor x = in[0];
        if (Arrays.stream(lengths).sum() != x.shape().get(axis))
            throw new IllegalArgumentException(
                    "Split: " + Arrays.toString(lengths) + " do not add up to axis " + axis + " of " + x.shape());
        Tensor[] y = Arrays.stream(lengths)
                .mapToObj(length -> x.empty(x.shape().with(axis, length)))
                .toArray(Tensor[]::new);
        x.backend().copy(parts(axis, x, y), regions(y));
        return new Result(y, (dy, needed) -> {
            Tensor dx = x.emptyLike();
            Tensor[] all = new Tensor[dy.length]; // a part that the loss does not depend on has gradient 0
            for (int k = 0; k < all.length; k++) all[k] = dy[k] == null ? y[k].fullLike(0) : dy[k];
            x.backend().copy(regions(all), parts(axis, dx, all));
            return new Tensor[] {dx};
        });
    }

    /** Whole tensors. */
    static Region[] regions(Tensor[] parts) {
        return Arrays.stream(parts).map(Region::of).toArray(Region[]::new);
    }

    /** Where the parts lie in the joint tensor, one after the other along the axis. */
    static Region[] parts(int axis, Tensor joint, Tensor[] parts) {
        Region[] regions = new Region[parts.length];
        int start = 0;
        for (int k = 0; k < parts.length; k++) {
            int length = parts[k].shape().get(axis);
            regions[k] = Region.of(joint).slice(axis, start, length);
            start += length;
        }
        return regions;
    }
}
