package autograd.ops;

import autograd.Op;
import autograd.Pullback;
import autograd.Tape;
import autograd.Variable;
import java.util.Arrays;
import java.util.stream.Stream;
import tensor.Shape;
import tensor.Tensor;
import tensor.backend.Backend;
import tensor.backend.Mask;
import tensor.backend.NormInputs;
import tensor.backend.NormParams;

/**
 * Group normalisation (Wu and He 2018) with affine map, optional conditioning in two forms, optional SiLU and optional
 * dropout, in one kernel each way.
 *
 * <pre>x̂ = (x + offset − mean) / √(var + eps)   over the pixels and channels of one group of one image
 * z = (x̂ · gamma + beta) · (1 + scale) + shift          y = mask · silu(z) or mask · z</pre>
 *
 * Shapes: x [N,…,C]; gamma, beta [C]; scale, shift or offset [N,C] or absent → y like x. Keeps: x, the vectors, mean and
 * 1/√(var + eps) of each group, where the mask is drawn; the backward pass computes x̂ and z, and draws the mask, anew.
 *
 * @param mask may be {@code null}: nothing is dropped
 */
public record GroupNorm(NormParams params, Mask mask) implements Op {
    public static Variable groupNorm(
            NormParams params, Variable x, Variable gamma, Variable beta, Variable... condition) {
        return groupNorm(params, null, x, gamma, beta, condition);
    }

    /**
     * y.
     *
     * @param condition nothing, the offset, or scale and shift
     */
    public static Variable groupNorm(
            NormParams params, Mask mask, Variable x, Variable gamma, Variable beta, Variable... condition) {
        return Tape.record(
                new GroupNorm(params, mask),
                Stream.concat(Stream.of(x, gamma, beta), Arrays.stream(condition))
                        .toArray(Variable[]::new));
    }

    @Override
    public Result apply(Tensor... in) {
        Tensor x = in[0];
        NormInputs inputs = inputs(in);
        Backend backend = x.backend();
        Tensor y = x.emptyLike();
        Tensor mean = x.emptyExact(Shape.of(x.shape().get(0), params.groups()));
        Tensor rstd = mean.emptyLike();
        backend.groupNorm(params, mask, inputs, y, mean, rstd);
        Pullback.Adding pullback = (dy, before, needed) -> {
            Tensor[] d = Arrays.stream(in).map(Tensor::emptyLike).toArray(Tensor[]::new);
            backend.groupNormBackward(params, mask, inputs, mean, rstd, dy, before, inputs(d));
            return d;
        };
        return new Result(y, pullback);
    }

    /** x, gamma, beta and a condition, or their gradients, by name. */
    private static NormInputs inputs(Tensor[] in) {
        return switch (in.length - 3) {
            case 0 -> new NormInputs(in[0], null, in[1], in[2], null, null);
            case 1 -> new NormInputs(in[0], in[3], in[1], in[2], null, null);
            case 2 -> new NormInputs(in[0], null, in[1], in[2], in[3], in[4]);
            default ->
                throw new IllegalArgumentException(
                        "a condition is an offset, or scale and shift, not " + (in.length - 3) + " tensors");
        };
    }
}
