package ddpm.unet;

import static autograd.ops.Mish.mish;
import static autograd.ops.Pointwise.gelu;
import static autograd.ops.Pointwise.relu;
import static autograd.ops.Pointwise.silu;

import autograd.Variable;

/** The nonlinearity of a block. */
public enum Activation {
    /** x σ(x). */
    SILU,
    /** x tanh(ln(1 + eˣ)). */
    MISH,
    /** x Φ(x). */
    GELU,
    /** max(x, 0). */
    RELU;

    Variable of(Variable x) {
        return switch (this) {
            case SILU -> silu(x);
            case MISH -> mish(x);
            case GELU -> gelu(x);
            case RELU -> relu(x);
        };
    }
}
