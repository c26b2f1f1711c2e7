package autograd;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import autograd.check.GradientCheck;
import autograd.check.OpCase;
import autograd.check.OpCatalogue;
import autograd.ops.Mul;
import autograd.ops.Sum;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import tensor.DType;
import tensor.Rng;
import tensor.Tensor;
import tensor.backend.Backend;
import tensor.backend.reference.ReferenceBackend;
import tensor.memory.Scope;

/** Every op of the catalogue: its derivative is right, and a wrong one would be noticed. */
class GradientTest {
    private final Backend backend = new ReferenceBackend();

    @ParameterizedTest
    @MethodSource("autograd.check.OpCatalogue#all")
    void pullbackIsTheTransposeOfTheDerivative(OpCase c) {
        for (long seed = 1; seed <= 3; seed++) {
            GradientCheck.Result result = GradientCheck.check(c, backend, seed, -1);
            assertTrue(result.agrees(), () -> c + ": " + result);
        }
    }

    /** Pullbacks leave out what is not needed: what is left must not change. */
    @ParameterizedTest
    @MethodSource("autograd.check.OpCatalogue#all")
    void aGradientIsTheSameWhereAllOtherInputsAreFrozen(OpCase c) {
        List<double[]> all = gradients(c, -1);
        for (int k = 0; k < all.size(); k++) {
            if (c.inputs().get(k).index()) continue;
            List<double[]> alone = gradients(c, k);
            for (int i = 0; i < all.size(); i++)
                assertArrayEquals(i == k ? all.get(k) : null, alone.get(i), 1e-12, "input " + k + ", gradient " + i);
        }
    }

    /** dL/dx for every input, {@code null} where there is none; {@code only} input k is a leaf, or all for −1. */
    private List<double[]> gradients(OpCase c, int only) {
        try (Scope scope = Scope.open("gradients");
                Tape tape = Tape.start()) {
            int n = c.inputs().size();
            Tensor[] values = new Tensor[n];
            for (int k = 0; k < n; k++) values[k] = c.inputs().get(k).draw(backend, DType.F64, 50 + k);
            Variable[] x = OpCatalogue.variables(c, values);
            for (int k = 0; k < n; k++) if (only != -1 && only != k) x[k] = Variable.constant(values[k]);
            Variable y = c.function().apply(x);
            Tensor u = new Rng(99).normalLike(y.value());
            Gradients g = tape.backward(Sum.sum(Mul.mul(y, Variable.constant(u))));
            return Arrays.stream(x)
                    .map(g::of)
                    .map(dx -> dx == null ? null : dx.toDoubles())
                    .toList();
        }
    }

    /** The identity with a wrong derivative: what an op looks like whose gradient for one input is off by a factor. */
    private record Mutant(double factor) implements Op {
        @Override
        public Result apply(Tensor... in) {
            return new Result(in[0].mul(1), Pullback.perInput(dy -> dy.mul(factor)));
        }
    }

    @ParameterizedTest
    @MethodSource("autograd.check.OpCatalogue#all")
    void aPlantedErrorInAnyGradientIsCaught(OpCase c) {
        for (int k = 0; k < c.inputs().size(); k++) {
            if (c.inputs().get(k).index() || c.name().equals("SIGN")) continue; // no gradient to be wrong
            for (double factor : List.of(-1.0, 1.01)) {
                int input = k;
                OpCase wrong = new OpCase(
                        c.op(),
                        c.name() + ", input " + k + " times " + factor,
                        x -> {
                            Variable[] changed = x.clone();
                            changed[input] = Tape.record(new Mutant(factor), x[input]);
                            return c.function().apply(changed);
                        },
                        c.inputs(),
                        0);
                boolean caught = false;
                for (long seed = 1; seed <= 3 && !caught; seed++)
                    caught = !GradientCheck.check(wrong, backend, seed, k).agrees();
                // A softmax over one position, or a product by a zero, may have a gradient of zero: then nothing is
                // wrong.
                if (!caught) {
                    GradientCheck.Result right = GradientCheck.check(c, backend, 1, k);
                    assertTrue(right.scale() < 1e-9, () -> wrong + " was not noticed");
                }
            }
        }
    }
}
