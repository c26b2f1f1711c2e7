package autograd;

import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import autograd.check.GradientCheck;
import autograd.check.OpCase;
import java.util.List;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import tensor.Tensor;
import tensor.backend.Backend;
import tensor.backend.reference.ReferenceBackend;

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
                assertFalse(caught && c.inputs().get(k).index());
            }
        }
    }
}
