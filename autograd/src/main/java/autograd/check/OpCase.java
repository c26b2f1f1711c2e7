package autograd.check;

import autograd.Variable;
import java.util.List;
import tensor.DType;
import tensor.Rng;
import tensor.Shape;
import tensor.Tensor;
import tensor.backend.Backend;
import tensor.backend.Distribution;
import tensor.memory.Scope;

/**
 * One way to use an op: what is applied, to inputs of which shapes and ranges. Tests of derivatives, comparisons of
 * backends and benchmarks all read the same cases.
 *
 * @param op simple name of the class in {@code autograd.ops} that is shown
 * @param name what is special about this case
 * @param function the op, applied to its inputs
 * @param inputs the inputs
 * @param flop floating-point operations of the forward pass; 0 where memory is what counts
 */
public record OpCase(String op, String name, Function function, List<Input> inputs, long flop) {
    /** Variables in, variable out; the same for the same inputs. */
    @FunctionalInterface
    public interface Function {
        Variable apply(Variable... x);
    }

    /**
     * An input.
     *
     * @param shape its shape
     * @param low smallest value
     * @param high largest value; when both are whole numbers and {@code index} is set, whole numbers below it
     * @param index whether it is an index: whole numbers, and no gradient
     */
    public record Input(Shape shape, double low, double high, boolean index) {
        /** Values uniform in [−1.5, 1.5]. */
        public static Input of(int... extents) {
            return new Input(Shape.of(extents), -1.5, 1.5, false);
        }

        /** Values in another range. */
        public Input within(double low, double high) {
            return new Input(shape, low, high, false);
        }

        /** Whole numbers 0 … bound−1. */
        public static Input index(int bound, int... extents) {
            return new Input(Shape.of(extents), 0, bound, true);
        }

        /** The values of this input in stream {@code seed}. */
        public Tensor draw(Backend backend, DType dtype, long seed) {
            return Scope.local("input", () -> {
                Rng rng = new Rng(seed);
                return index
                        ? rng.draw(Distribution.integers((int) high), backend, dtype, shape)
                        : rng.draw(Distribution.UNIFORM, backend, dtype, shape)
                                .mul(high - low)
                                .add(low);
            });
        }
    }

    @Override
    public String toString() {
        return op + ": " + name;
    }
}
