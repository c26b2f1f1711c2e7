package autograd.check;

import autograd.Gradients;
import autograd.Tape;
import autograd.Variable;
import autograd.ops.Mul;
import autograd.ops.Sum;
import tensor.DType;
import tensor.Tensor;
import tensor.backend.Backend;
import tensor.memory.Scope;

/**
 * Holds a pullback against the derivative of its function. With directions v of the inputs and a weight u of the output,
 * both random,
 *
 * <pre>⟨u, J v⟩ = ⟨Jᵀ u, v⟩</pre>
 *
 * where J v is a central difference (f(x + h v) − f(x − h v)) / 2h and Jᵀ u comes from the tape. One pair checks all
 * inputs at once; a wrong sign or factor anywhere shows with probability 1. In double, on the reference backend.
 */
public final class GradientCheck {
    private static final double H = 1e-5;
    /** Where the result is rounded to floats: large beside that. Such ops are else linear or quadratic, and no step is too large. */
    private static final double ROUNDED_H = 1;
    /** Relative to the size of the result; the difference quotient itself is good to about 1e−9. */
    private static final double TOLERANCE = 2e-7;

    private GradientCheck() {}

    /**
     * The two sides of the equation.
     *
     * @param byTape ⟨Jᵀ u, v⟩
     * @param byDifferences ⟨u, J v⟩
     * @param scale Σ of the absolute values of the terms of the left side, to judge the difference by
     */
    public record Result(double byTape, double byDifferences, double scale) {
        /** Whether the two sides agree. */
        public boolean agrees() {
            return Math.abs(byTape - byDifferences) <= TOLERANCE * Math.max(1, scale);
        }
    }

    /** Checks one case with random numbers of stream {@code seed}; {@code only} input k moves, or all for −1. */
    public static Result check(OpCase c, Backend backend, long seed, int only) {
        try (Scope scope = Scope.open("check")) {
            int n = c.inputs().size();
            Tensor[] x = new Tensor[n];
            Tensor[] v = new Tensor[n];
            for (int k = 0; k < n; k++) {
                OpCase.Input input = c.inputs().get(k);
                x[k] = input.draw(backend, DType.F64, seed + 1000 + k);
                boolean moves = !input.index() && (only == -1 || only == k);
                v[k] = new OpCase.Input(input.shape(), moves ? -1 : 0, moves ? 1 : 0, OpCase.Input.Role.VALUE)
                        .draw(backend, DType.F64, seed + 2000 + k);
            }
            double byTape = 0;
            double scale = 0;
            double h;
            try (Tape tape = Tape.start()) {
                Variable[] variables = OpCatalogue.variables(c, x);
                Variable loss = weighted(c, variables, seed);
                h = loss.value().dtype() == DType.F64 ? H : ROUNDED_H;
                Gradients gradients = tape.backward(loss);
                for (int k = 0; k < n; k++) {
                    Tensor gradient = gradients.of(variables[k]);
                    if (gradient == null) continue;
                    for (double term : gradient.cast(DType.F64).mul(v[k]).toDoubles()) {
                        byTape += term;
                        scale += Math.abs(term);
                    }
                }
            }
            double up = weighted(c, x, v, h, seed);
            double down = weighted(c, x, v, -h, seed);
            return new Result(byTape, (up - down) / (2 * h), scale);
        }
    }

    /** ⟨u, f(x + h v)⟩. */
    private static double weighted(OpCase c, Tensor[] x, Tensor[] v, double h, long seed) {
        Variable[] moved = new Variable[x.length];
        for (int k = 0; k < x.length; k++) moved[k] = Variable.constant(x[k].add(v[k].mul(h)));
        return weighted(c, moved, seed).item();
    }

    private static Variable weighted(OpCase c, Variable[] x, long seed) {
        Variable y = c.function().apply(x);
        Tensor u = new OpCase.Input(y.shape(), -1, 1, OpCase.Input.Role.VALUE)
                .draw(y.value().backend(), y.value().dtype(), seed + 3000);
        return Sum.sum(Mul.mul(y, Variable.constant(u)));
    }
}
