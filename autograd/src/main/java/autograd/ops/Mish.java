package autograd.ops;

import static autograd.ops.Add.add;
import static autograd.ops.Clamp.clamp;
import static autograd.ops.Div.div;
import static autograd.ops.Mul.mul;
import static autograd.ops.Pointwise.exp;
import static autograd.ops.Pointwise.square;
import static autograd.ops.Scale.scale;
import static autograd.ops.Shift.shift;

import autograd.Variable;

/**
 * {@code y = x · tanh(ln(1 + eˣ))} (Misra 2019). With a = e²ˣ + 2eˣ the factor is a / (a + 2), which loses nothing for very
 * negative x; above x = 20 it is 1 in double already, so larger x are not raised to powers.
 */
public final class Mish {
    private static final double LARGE = 20;

    private Mish() {}

    public static Variable mish(Variable x) {
        Variable e = exp(clamp(x, -LARGE * LARGE, LARGE));
        Variable a = add(square(e), scale(e, 2));
        return mul(x, div(a, shift(a, 2)));
    }
}
