package nn;

import static autograd.ops.Cast.like;

import autograd.Variable;
import tensor.Shape;
import tensor.backend.NormParams;

/**
 * Group normalisation with learned {@code weight} and {@code bias} [C], optionally followed by scale-and-shift
 * conditioning, SiLU and dropout, all in one kernel; see {@link autograd.ops.GroupNorm}. x [N, …, C] → same shape.
 */
public final class GroupNorm extends UnaryLayer {
    private final NormParams params;
    private final Parameter weight;
    private final Parameter bias;
    private final Dropout dropout;

    /** Normalisation and affine map only. */
    public GroupNorm(Init init, int groups, int channels, double eps) {
        this(init, new NormParams(groups, eps, false), channels);
    }

    public GroupNorm(Init init, NormParams params, int channels) {
        this(init, params, channels, new Dropout(0, null));
    }

    /** Followed by dropout. */
    public GroupNorm(Init init, NormParams params, int channels, Dropout dropout) {
        if (channels % params.groups() != 0)
            throw new IllegalArgumentException(
                    channels + " channels cannot be cut into " + params.groups() + " groups of a group norm");
        this.params = params;
        this.dropout = dropout;
        weight = parameter("weight", init.gain(Shape.of(channels)), Parameter.Layout.PLAIN);
        bias = parameter("bias", init.constant(Shape.of(channels), 0), Parameter.Layout.PLAIN);
    }

    @Override
    public Variable forward(Variable x) {
        return normalised(x);
    }

    /** Of x + offset, offset [N, C]. */
    public Variable forward(Variable x, Variable offset) {
        return normalised(x, like(offset, weight.variable()));
    }

    /** With conditioning: the normalised value times (1 + scale) plus shift, both [N, C], before SiLU. */
    public Variable forward(Variable x, Variable scale, Variable shift) {
        return normalised(x, like(scale, weight.variable()), like(shift, weight.variable()));
    }

    private Variable normalised(Variable x, Variable... condition) {
        return autograd.ops.GroupNorm.groupNorm(
                params, dropout.mask(x.shape()), x, weight.variable(), bias.variable(), condition);
    }
}
