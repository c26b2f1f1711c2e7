package autograd.ops;

import autograd.JointOp;
import autograd.Tape;
import autograd.Variable;
import java.util.ArrayList;
import java.util.List;
import tensor.DType;
import tensor.Tensor;

/**
 * {@link Cast} of many variables at once: {@code yᵢ = xᵢ}, rounded to another type; dxᵢ = dyᵢ, in the type of xᵢ. Keeps:
 * nothing. Since it stands on the tape before all that uses its values, their gradients are complete when its turn comes,
 * and are cast back in one call as well.
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
        return new Result(y, (dy, needed) -> {
            Tensor[] dx = new Tensor[x.length];
            List<Tensor> from = new ArrayList<>();
            List<Tensor> to = new ArrayList<>();
            for (int k = 0; k < dx.length; k++) {
                if (!needed[k] || dy[k] == null) continue;
                dx[k] = x[k].emptyLike();
                from.add(dy[k]);
                to.add(dx[k]);
            }
            x[0].backend().cast(from.toArray(Tensor[]::new), to.toArray(Tensor[]::new));
            return dx;
        });
    }
}
