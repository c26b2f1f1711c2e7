package ddpm.unet;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import autograd.Tape;
import autograd.Variable;
import autograd.ops.Sum;
import nn.Init;
import nn.Parameter;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import tensor.DType;
import tensor.Rng;
import tensor.Shape;
import tensor.Tensor;
import tensor.backend.Backend;
import tensor.backend.Distribution;
import tensor.backend.reference.ReferenceBackend;
import tensor.memory.Scope;

class NoisyClassifierTest {
    private static final double H = 1e-5;

    private final Backend backend = new ReferenceBackend();

    private Tensor normal(long seed, int... shape) {
        return new Rng(seed).draw(Distribution.NORMAL, backend, DType.F64, Shape.of(shape));
    }

    /** With every layer in play: those that start at zero are moved away from it. */
    private NoisyClassifier build(int height, int width, int channels) {
        NoisyClassifier classifier =
                new NoisyClassifier(height, width, channels, 3, Init.pytorch(backend, DType.F64, new Rng(1)));
        long seed = 10;
        for (Parameter p : classifier.parameters().values())
            p.value()
                    .set_(p.value()
                            .add(normal(seed++, p.value().shape().toArray()).mul(0.1)));
        return classifier;
    }

    private double logProbability(NoisyClassifier classifier, Tensor x, Tensor t, Tensor label) {
        try (Scope scope = Scope.open("value")) {
            return classifier
                    .logProbability(Variable.constant(x), Variable.constant(t), Variable.constant(label))
                    .value()
                    .sum()
                    .item();
        }
    }

    /** What guidance follows: ∇_x ln p(y | x, t) along a direction is the difference quotient. */
    @ParameterizedTest
    @CsvSource({"8,8,1", "7,10,2", "16,32,3"})
    void theGradientOfLogProbabilityIsTheDifferenceQuotient(int height, int width, int channels) {
        try (Scope scope = Scope.open("gradient")) {
            NoisyClassifier classifier = build(height, width, channels);
            Tensor x = normal(2, 2, height, width, channels);
            Tensor v = normal(3, 2, height, width, channels);
            Tensor t = Tensor.of(backend, DType.F64, Shape.of(2), 3, 170);
            Tensor label = Tensor.of(backend, DType.F64, Shape.of(2), 2, 0);
            Variable leaf = Variable.leaf(x);
            double byTape;
            try (Tape tape = Tape.start()) {
                Variable sum = Sum.sum(classifier.logProbability(leaf, Variable.constant(t), Variable.constant(label)));
                byTape = tape.backward(sum).of(leaf).mul(v).sum().item();
            }
            double byDifferences = (logProbability(classifier, x.add(v.mul(H)), t, label)
                            - logProbability(classifier, x.add(v.mul(-H)), t, label))
                    / (2 * H);
            assertEquals(byDifferences, byTape, 1e-7 * (1 + Math.abs(byDifferences)));
            assertNotEquals(0, byTape, 1e-3);
        }
        assertEquals(0, backend.memory().live());
    }

    @Test
    void theTimestepCountsAndOtherSizesAreRefused() {
        try (Scope scope = Scope.open("time")) {
            NoisyClassifier classifier = build(8, 8, 1);
            Tensor x = normal(2, 1, 8, 8, 1);
            Tensor label = Tensor.of(backend, DType.F64, Shape.of(1), 1);
            Tensor early = Tensor.of(backend, DType.F64, Shape.of(1), 0);
            assertNotEquals(
                    logProbability(classifier, x, early, label),
                    logProbability(classifier, x, early.add(100), label),
                    1e-3);
            Variable wide = Variable.constant(normal(2, 1, 8, 9, 1));
            assertThrows(IllegalArgumentException.class, () -> classifier.logits(wide, Variable.constant(early)));
        }
    }
}
