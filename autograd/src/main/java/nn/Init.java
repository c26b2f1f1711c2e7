package nn;

import tensor.DType;
import tensor.Rng;
import tensor.Shape;
import tensor.Tensor;
import tensor.backend.Backend;
import tensor.backend.Distribution;
import tensor.memory.Scope;

/**
 * Where a network's parameters come to life: backend, type, random stream and rule.
 *
 * @param backend where the parameters live
 * @param dtype their type
 * @param rng the stream; read in registration order
 * @param rule how weights start
 */
public record Init(Backend backend, DType dtype, Rng rng, Rule rule) {
    /** How weights and biases start. */
    public enum Rule {
        /**
         * PyTorch's default for convolutions and linear layers: weights and biases uniform in ±1/√fanIn (Kaiming
         * uniform with a = √5).
         */
        PYTORCH,
        /** Ho et al. 2020: weights uniform in ±√(6/(fanIn + fanOut)) (variance scaling, fan average), biases zero. */
        FAN_AVERAGE,
        /** All zero: the layer contributes nothing at first. */
        ZERO
    }

    /** PyTorch's rule. */
    public static Init pytorch(Backend backend, DType dtype, Rng rng) {
        return new Init(backend, dtype, rng, Rule.PYTORCH);
    }

    /** The same with another rule. */
    public Init with(Rule other) {
        return new Init(backend, dtype, rng, other);
    }

    /** A weight that sums {@code fanIn} products into each output and feeds {@code fanOut} outputs. */
    public Tensor weight(Shape shape, int fanIn, int fanOut) {
        return switch (rule) {
            case PYTORCH -> uniform(shape, 1 / Math.sqrt(fanIn));
            case FAN_AVERAGE -> uniform(shape, Math.sqrt(6.0 / (fanIn + fanOut)));
            case ZERO -> constant(shape, 0);
        };
    }

    /** The bias that goes with such a weight. */
    public Tensor bias(Shape shape, int fanIn) {
        return rule == Rule.PYTORCH ? uniform(shape, 1 / Math.sqrt(fanIn)) : constant(shape, 0);
    }

    /** The gain of a normalisation: 1, or 0 when the layer is to contribute nothing at first. */
    public Tensor gain(Shape shape) {
        return constant(shape, rule == Rule.ZERO ? 0 : 1);
    }

    /** One value everywhere. */
    public Tensor constant(Shape shape, double value) {
        return Tensor.full(backend, dtype, shape, value);
    }

    private Tensor uniform(Shape shape, double bound) {
        return Scope.local(
                "init",
                () -> rng.draw(Distribution.UNIFORM, backend, dtype, shape)
                        .mul(2 * bound)
                        .add(-bound));
    }
}
