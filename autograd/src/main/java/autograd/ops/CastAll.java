package autograd.ops;

import autograd.JointOp;
import autograd.Tape;
import autograd.Variable;
import tensor.DType;
import tensor.Tensor;

/**
 * {@link Cast} of many variables at once: {@code yᵢ = xᵢ}, rounded to another type; dxᵢ = dyᵢ, for a leaf in the type of yᵢ: a
 * gradient that has been rounded is as good in few bits, and who uses it reads half as much. Keeps: nothing.
 */
public record CastAll(DType type) implements JointOp {
    public static Variable[] castAll(DType type, Variable... x) {
        return Tape.recordAll(new CastAll(type), x);
    }

    @Override
    public Result apply(Tensor... x) {
        Tensor[] y = new Tensor[x.length];
        for (int k = 0; k < y.length; k++) y[k] = Tensor.empty(x[k].backend(), type, x[k].shape());
        x[0].backend().cast(x, y);
        return new Result(y, (dy, needed) -> dy);
    }
}
