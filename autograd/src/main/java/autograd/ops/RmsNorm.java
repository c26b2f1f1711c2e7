package autograd.ops;

import static autograd.ops.Mul.mul;
import static autograd.ops.Pointwise.rsqrt;
import static autograd.ops.Pointwise.square;
import static autograd.ops.Reshape.reshape;
import static autograd.ops.Scale.scale;
import static autograd.ops.Shift.shift;
import static autograd.ops.Sum.sum;

import autograd.Variable;
import tensor.Shape;

/**
 * Root-mean-square normalisation over the last axis (Zhang and Sennrich 2019): to length √C, no mean taken.
 *
 * <pre>y = √C · x / √(Σ_c x_c² + 1e−24) · g</pre>
 *
 * The small number keeps a vector of zeros what it is; PyTorch's {@code normalize} takes max(‖x‖, 1e−12) instead, which
 * differs only for lengths below about 1e−8. Shapes: x [.., C], g [C] → y like x.
 */
public final class RmsNorm {
    private static final double EPS = 1e-24;

    private RmsNorm() {}

    public static Variable rmsNorm(Variable x, Variable g) {
        Shape s = x.shape();
        int channels = s.get(-1);
        Variable length = rsqrt(shift(sum(square(x), -1), EPS));
        Variable unit = mul(x, reshape(length, s.with(-1, 1).toArray()));
        return mul(unit, scale(g, Math.sqrt(channels)));
    }
}
