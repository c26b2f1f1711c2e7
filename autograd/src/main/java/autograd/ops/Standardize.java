package autograd.ops;

import autograd.Op;
import autograd.Pullback;
import autograd.Tape;
import autograd.Variable;
import tensor.Shape;
import tensor.Tensor;
import tensor.backend.Backend;
import tensor.backend.NormInputs;
import tensor.backend.NormParams;

/**
 * Weight standardisation (Qiao et al. 2019): each filter to mean 0 and variance 1, the biased variance.
 *
 * <pre>y_k = (w_k − mean(w_k)) / √(var(w_k) + eps)      over all axes but the first</pre>
 *
 * It is the group norm of an image of one pixel for each filter, without affine map. Shapes: w [K,…] → same. Keeps: w,
 * mean and 1/√(var + eps) of each filter.
 */
public record Standardize(double eps) implements Op {
    public static Variable standardize(Variable w, double eps) {
        return Tape.record(new Standardize(eps), w);
    }

    @Override
    public Result apply(Tensor... in) {
        NormParams params = new NormParams(1, eps, false);
        int filters = in[0].shape().get(0);
        Tensor x = in[0].reshape(filters, 1, -1);
        Tensor y = x.emptyLike();
        Tensor mean = x.emptyExact(Shape.of(filters, 1));
        Tensor rstd = mean.emptyLike();
        Backend backend = x.backend();
        NormInputs inputs = NormInputs.of(x);
        backend.groupNorm(params, null, inputs, y, mean, rstd);
        return new Result(y.reshape(in[0].shape()), Pullback.perInput(dy -> {
            Tensor dx = x.emptyLike();
            backend.groupNormBackward(
                    params, null, inputs, mean, rstd, dy.reshape(x.shape()), new Tensor[0], NormInputs.of(dx));
            return dx.reshape(in[0].shape());
        }));
    }
}
