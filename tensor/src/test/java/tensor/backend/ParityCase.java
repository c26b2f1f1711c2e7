package tensor.backend;

import java.util.Random;
import tensor.DType;
import tensor.Shape;
import tensor.Tensor;

/**
 * One backend call on fixed inputs, to be run on several backends and compared.
 *
 * @param name what a failure is called
 * @param terms how many products or sums make one output element; the allowed error grows with its root
 * @param tries how many times other inputs may be drawn, where the results are too far apart for the first
 * @param call makes the inputs, runs the call, returns its outputs
 */
record ParityCase(String name, int terms, int tries, Call call) {
    ParityCase(String name, int terms, Call call) {
        this(name, terms, 1, call);
    }

    /**
     * The same for shapes that nobody has looked at: of a result that is few sums all may nearly cancel, so that rounding is
     * large beside what is left; for three inputs in a row they do not.
     */
    ParityCase thatMayCancel() {
        return new ParityCase(name, terms, 3, call);
    }

    /** The call on one backend. */
    interface Call {
        Tensor[] run(Backend backend, Inputs inputs);
    }

    /** Runs the call on its inputs, the same for every backend, in one of its tries from 0 on. */
    Tensor[] run(Backend backend, DType dtype, int attempt) {
        return call.run(backend, new Inputs(backend, dtype, new Random(20 + attempt)));
    }

    /**
     * Largest relative L2 error for F32: rounding adds up like a random walk, so about √terms units of 2⁻²⁴, with a
     * factor for the order of summation and a floor for exp, erf and the like.
     */
    double bound() {
        return 0x1p-24 * (16 + 4 * Math.sqrt(terms));
    }

    /**
     * Largest relative L2 error for BF16, in which values are kept with 8 bits: what a call rounds on its way (probabilities
     * of an attention, a factor of a chain) and where two results fall on different sides of a half are each some units
     * of 2⁻⁹ an element, whatever the number of terms.
     */
    double halfBound() {
        return 0x1p-9 * 8;
    }

    @Override
    public String toString() {
        return name;
    }

    /** Deterministic inputs; every value is a float, so that each backend and dtype sees the same numbers. */
    static final class Inputs {
        private final Backend backend;
        private final DType dtype;
        private final Random random;

        private Inputs(Backend backend, DType dtype, Random random) {
            this.random = random;
            this.backend = backend;
            this.dtype = dtype;
        }

        /** More of the same inputs, in the type for exact values. */
        Inputs exact() {
            return new Inputs(backend, dtype.exact(), random);
        }

        /** Roughly normal, mean 0, standard deviation 1. */
        Tensor normal(int... extents) {
            Shape shape = Shape.of(extents);
            double[] values = new double[shape.size()];
            for (int i = 0; i < values.length; i++) values[i] = (float) random.nextGaussian();
            return Tensor.of(backend, dtype, shape, values);
        }

        /** Uniform between two positive limits. */
        Tensor between(double low, double high, int... extents) {
            Shape shape = Shape.of(extents);
            double[] values = new double[shape.size()];
            for (int i = 0; i < values.length; i++) values[i] = (float) (low + (high - low) * random.nextDouble());
            return Tensor.of(backend, dtype, shape, values);
        }

        /** These values. */
        Tensor of(Shape shape, double... values) {
            return Tensor.of(backend, dtype, shape, values);
        }

        /** Room for an output. */
        Tensor room(int... extents) {
            return room(Shape.of(extents));
        }

        /** Room for an output. */
        Tensor room(Shape shape) {
            return Tensor.empty(backend, dtype, shape);
        }
    }
}
