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
     * @param high largest value; of an index, the exclusive bound
     * @param role what it stands for
     */
    public record Input(Shape shape, double low, double high, Role role) {
        /** What an input stands for. */
        public enum Role {
            /** A value of the network. */
            VALUE,
            /** A gain or shift, which stays exact where values are rounded coarsely. */
            EXACT,
            /** An index: whole numbers, exact, and no gradient. */
            INDEX
        }

        /** Values uniform in [−1.5, 1.5]. */
        public static Input of(int... extents) {
            return new Input(Shape.of(extents), -1.5, 1.5, Role.VALUE);
        }

        /** Values in another range. */
        public Input within(double low, double high) {
            return new Input(shape, low, high, role);
        }

        /** Exact values uniform in [−1.5, 1.5]. */
        public static Input exact(int... extents) {
            return new Input(Shape.of(extents), -1.5, 1.5, Role.EXACT);
        }

        /** Whether it is an index. */
        public boolean index() {
            return role == Role.INDEX;
        }

        /** Whole numbers 0 … bound−1. */
        public static Input index(int bound, int... extents) {
            return new Input(Shape.of(extents), 0, bound, Role.INDEX);
        }

        /** The values of this input in stream {@code seed}. */
        public Tensor draw(Backend backend, DType dtype, long seed) {
            return Scope.local("input", () -> {
                Rng rng = new Rng(seed);
                DType type = role == Role.VALUE ? dtype : dtype.exact();
                return index()
                        ? rng.draw(Distribution.integers((int) high), backend, type, shape)
                        : rng.draw(Distribution.UNIFORM, backend, type, shape)
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
