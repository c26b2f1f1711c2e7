package nn;

import static autograd.ops.Cast.like;

import autograd.Variable;
import tensor.Shape;
import tensor.backend.NormParams;

/**
 * Group normalisation with learned {@code weight} and {@code bias} [C], optionally followed by scale-and-shift
 * conditioning and SiLU, all in one kernel; see {@link autograd.ops.GroupNorm}. x [N, …, C] → same shape.
 */
public final class GroupNorm extends UnaryLayer {
    private final NormParams params;
    private final Parameter weight;
    private final Parameter bias;

    /** Normalisation and affine map only. */
    public GroupNorm(Init init, int groups, int channels, double eps) {
        this(init, new NormParams(groups, eps, false), channels);
    }

    public GroupNorm(Init init, NormParams params, int channels) {
        if (channels % params.groups() != 0)
            throw new IllegalArgumentException(
                    channels + " channels cannot be cut into " + params.groups() + " groups of a group norm");
        this.params = params;
        weight = parameter("weight", init.gain(Shape.of(channels)), Parameter.Layout.PLAIN);
        bias = parameter("bias", init.constant(Shape.of(channels), 0), Parameter.Layout.PLAIN);
    }

    @Override
    public Variable forward(Variable x) {
        return autograd.ops.GroupNorm.groupNorm(params, x, weight.variable(), bias.variable());
    }

    /** Of x + offset, offset [N, C]. */
    public Variable forward(Variable x, Variable offset) {
        return autograd.ops.GroupNorm.groupNorm(
                params, x, weight.variable(), bias.variable(), like(offset, weight.variable()));
    }

    /** With conditioning: the normalised value times (1 + scale) plus shift, both [N, C], before SiLU. */
    public Variable forward(Variable x, Variable scale, Variable shift) {
        return autograd.ops.GroupNorm.groupNorm(
                params,
                x,
                weight.variable(),
                bias.variable(),
                like(scale, weight.variable()),
                like(shift, weight.variable()));
    }
}
