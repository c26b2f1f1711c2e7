package optim;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assertions.fail;

import autograd.Tape;
import autograd.Variable;
import autograd.ops.Add;
import autograd.ops.Mul;
import autograd.ops.Pointwise;
import autograd.ops.Sum;
import java.util.Map;
import nn.Layer;
import nn.Parameter;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import tensor.DType;
import tensor.Shape;
import tensor.Tensor;
import tensor.backend.Backend;
import tensor.backend.reference.ReferenceBackend;
import tensor.memory.Scope;

class OptimizersTest {
    private final Backend backend = new ReferenceBackend();
    private Scope scope;

    @BeforeEach
    void open() {
        scope = Scope.open("test");
    }

    @AfterEach
    void close() {
        scope.close();
        assertEquals(0, backend.memory().live());
    }

    /** One parameter w, with the loss ½ Σ a w², whose gradient is a · w. */
    private final class Bowl extends Layer {
        final Parameter w;
        final Variable a;

        Bowl(double[] start, double... curvature) {
            w = parameter("w", f64(start), Parameter.Layout.PLAIN);
            a = Variable.constant(f64(curvature));
        }

        Updates slopes() {
            try (Tape tape = Tape.start()) {
                Variable loss = Sum.sum(Mul.mul(a, Pointwise.square(w.variable())));
                return Updates.of(parameters(), tape.backward(autograd.ops.Scale.scale(loss, 0.5)));
            }
        }
    }

    private Tensor f64(double... values) {
        return Tensor.of(backend, DType.F64, Shape.of(values.length), values);
    }

    /** The first two updates of Algorithm 1 of Kingma and Ba, on paper. */
    @Test
    void adamFollowsAlgorithmOne() {
        Bowl bowl = new Bowl(new double[] {2, -1}, 1, 3);
        Adam adam = Adam.adam(bowl.parameters());
        adam.step(bowl.slopes(), 0.1, 1);
        // With bias correction the first step is α · g/|g|, but for ε.
        assertArrayEquals(new double[] {2 - 0.1, -1 + 0.1}, bowl.w.value().toDoubles(), 1e-8);
        adam.step(bowl.slopes(), 0.1, 1);
        double[] expected = new double[2];
        double[] g1 = {2, -3};
        double[] w1 = {1.9, -0.9};
        double[] g2 = {1.9, -2.7};
        for (int i = 0; i < 2; i++) {
            double m = 0.9 * 0.1 * g1[i] + 0.1 * g2[i];
            double v = 0.999 * 0.001 * g1[i] * g1[i] + 0.001 * g2[i] * g2[i];
            expected[i] = w1[i] - 0.1 * (m / (1 - 0.81)) / (Math.sqrt(v / (1 - 0.998001)) + 1e-8);
        }
        assertArrayEquals(expected, bowl.w.value().toDoubles(), 1e-8);
        assertEquals(2, adam.steps());
    }

    @Test
    void decoupledDecayShrinksWeightsBesideTheUpdate() {
        Bowl plain = new Bowl(new double[] {2}, 1);
        Bowl decayed = new Bowl(new double[] {2}, 1);
        Adam.adam(plain.parameters()).step(plain.slopes(), 0.1, 1);
        Adam.adamW(decayed.parameters(), 0.9, 0.999, 1e-8, 0.5).step(decayed.slopes(), 0.1, 1);
        assertEquals(
                plain.w.value().toDoubles()[0] - 0.1 * 0.5 * 2,
                decayed.w.value().toDoubles()[0],
                1e-12);
    }

    @Test
    void coupledDecayIsPartOfTheGradient() {
        Bowl steep = new Bowl(new double[] {2}, 1.5);
        Bowl decayed = new Bowl(new double[] {2}, 1);
        Adam a = Adam.adam(steep.parameters());
        Adam b = Adam.adam(decayed.parameters(), 0.9, 0.999, 1e-8, 0.5);
        for (int i = 0; i < 3; i++) {
            a.step(steep.slopes(), 0.1, 1);
            b.step(decayed.slopes(), 0.1, 1);
        }
        assertArrayEquals(steep.w.value().toDoubles(), decayed.w.value().toDoubles(), 1e-12);
    }

    @Test
    void momentumAddsUpPastGradients() {
        Bowl bowl = new Bowl(new double[] {1}, 1);
        Sgd sgd = new Sgd(bowl.parameters(), 0.9);
        sgd.step(bowl.slopes(), 0.1, 1); // u = 1, w = 0.9
        sgd.step(bowl.slopes(), 0.1, 1); // u = 0.9 + 0.9, w = 0.72
        assertEquals(0.72, bowl.w.value().toDoubles()[0], 1e-12);
    }

    @Test
    void anUpdateLeavesNothingBehind() {
        Bowl bowl = new Bowl(new double[] {1, 2}, 1, 1);
        for (Optimizer optimizer : new Optimizer[] {new Sgd(bowl.parameters(), 0.9), Adam.adam(bowl.parameters())}) {
            Updates slopes = bowl.slopes();
            long before = backend.memory().live();
            optimizer.step(slopes, 0.1, 1);
            assertEquals(before, backend.memory().live());
        }
    }

    @Test
    void everyOptimizerReachesTheBottomOfABowl() {
        Bowl bowl = new Bowl(new double[] {3, -2, 1}, 1, 0.5, 2);
        Adam adam = Adam.adam(bowl.parameters());
        LearningRate rate = LearningRate.cosine(0.1, 300);
        for (int i = 0; i < 300; i++)
            try (Scope step = Scope.open("step")) {
                adam.step(bowl.slopes(), rate.at(i), 1);
            }
        for (double w : bowl.w.value().toDoubles()) assertEquals(0, w, 1e-2);
    }

    @Test
    void batchesAddUpWhereTwoParametersHaveOneGradient() {
        class Biases extends Layer {
            final Parameter a = parameter("a", f64(1, 2), Parameter.Layout.PLAIN);
            final Parameter b = parameter("b", f64(3, 4), Parameter.Layout.PLAIN);

            Updates slopes(double... factors) {
                try (Tape tape = Tape.start()) {
                    Variable sum = Add.add(a.variable(), b.variable());
                    Variable loss = Sum.sum(Mul.mul(sum, Variable.constant(f64(factors))));
                    return Updates.of(parameters(), tape.backward(loss));
                }
            }
        }
        Biases biases = new Biases();
        Updates all = biases.slopes(1, 10).copy();
        all.add(biases.slopes(2, 20));
        all.add(biases.slopes(4, 40));
        for (Tensor gradient : all.gradients()) assertArrayEquals(new double[] {7, 70}, gradient.toDoubles(), 0);
    }

    @Test
    void batchesThatReachDifferentParametersDoNotAddUp() {
        class Branches extends Layer {
            final Parameter a = parameter("a", f64(1), Parameter.Layout.PLAIN);
            final Parameter b = parameter("b", f64(1), Parameter.Layout.PLAIN);

            Updates slopes(Parameter... reached) {
                try (Tape tape = Tape.start()) {
                    Variable sum = Variable.constant(f64(0));
                    for (Parameter p : reached) sum = Add.add(sum, p.variable());
                    return Updates.of(parameters(), tape.backward(sum));
                }
            }
        }
        Branches branches = new Branches();
        Updates first = branches.slopes(branches.a).copy();
        Updates second = branches.slopes(branches.a, branches.b).copy();
        for (Updates[] two : new Updates[][] {{first, branches.slopes(branches.b)}, {first, second}, {second, first}}) {
            String message = assertThrows(IllegalArgumentException.class, () -> two[0].add(two[1]))
                    .getMessage();
            assertTrue(message.startsWith("the losses of two batches depend on different parameters"), message);
        }
        first.add(branches.slopes(branches.a));
        assertArrayEquals(new double[] {2}, first.gradients()[0].toDoubles());
    }

    @Test
    void clippingBringsTheGlobalNormDownToTheLimit() {
        Bowl bowl = new Bowl(new double[] {3, 4}, 1, 1);
        Updates slopes = bowl.slopes();
        assertEquals(5, slopes.norm(), 1e-12);
        assertEquals(0.2, Updates.clipFactor(5, 1), 1e-15);
        assertEquals(1, Updates.clipFactor(5, 10), 0);
        assertEquals(1, Updates.clipFactor(5, 0), 0);
        new Sgd(bowl.parameters(), 0).step(slopes, 1, Updates.clipFactor(slopes.norm(), 1));
        assertArrayEquals(new double[] {3 - 0.6, 4 - 0.8}, bowl.w.value().toDoubles(), 1e-12);
    }

    @Test
    void aGradientThatIsNotFiniteIsNamed() {
        assertNull(new Bowl(new double[] {1}, 1).slopes().firstNonFinite());
        assertEquals(
                "w",
                new Bowl(new double[] {Double.POSITIVE_INFINITY}, 1).slopes().firstNonFinite());
        assertTrue(Double.isNaN(new Bowl(new double[] {Double.NaN}, 1).slopes().norm()));
    }

    @Test
    void learningRatesRiseAndFallAsTheyShould() {
        assertEquals(0.3, LearningRate.constant(0.3).at(1_000_000), 0);
        assertEquals(1, LearningRate.cosine(1, 100).at(0), 1e-15);
        assertEquals(0.5, LearningRate.cosine(1, 100).at(50), 1e-15);
        assertEquals(0, LearningRate.cosine(1, 100).at(100), 1e-15);
        assertEquals(0, LearningRate.cosine(1, 100).at(150), 1e-15);
        assertEquals(0.25, LearningRate.linear(1, 100).at(75), 1e-15);
        LearningRate warm = LearningRate.constant(1).warmedUp(10);
        assertEquals(0.1, warm.at(0), 1e-15);
        assertEquals(1, warm.at(9), 1e-15);
        assertEquals(1, warm.at(10), 1e-15);
    }

    @Test
    void averageIsTheGeometricallyWeightedSumOfPastWeights() {
        Bowl bowl = new Bowl(new double[] {1}, 1);
        Ema ema = new Ema(bowl.parameters(), 0.5);
        double expected = 1;
        for (int step = 0; step < 30; step++) {
            bowl.w.value().add_(f64(1));
            ema.update(step);
            double d = Math.min(0.5, (1.0 + step) / (10.0 + step));
            expected = d * expected + (1 - d) * (step + 2);
        }
        assertEquals(0.1, ema.decayAt(0), 1e-15);
        assertEquals(0.5, ema.decayAt(100), 0);
        assertEquals(expected, ema.average().get("w").toDoubles()[0], 1e-9);
    }

    @Test
    void samplingWithTheAverageLeavesTheWeightsAsTheyWere() {
        Bowl bowl = new Bowl(new double[] {1}, 1);
        Ema ema = new Ema(bowl.parameters(), 0.9);
        bowl.w.value().add_(f64(5));
        assertThrows(
                IllegalStateException.class,
                () -> ema.within(() -> {
                    assertEquals(1, bowl.w.value().toDoubles()[0], 0);
                    throw new IllegalStateException("in the middle");
                }));
        assertEquals(6, bowl.w.value().toDoubles()[0], 0);
        assertEquals(1, ema.average().get("w").toDoubles()[0], 0);
    }

    /** A parameter that is gone stands for one whose copy finds no memory. */
    @Test
    void anExchangeThatStopsHalfwayIsTakenBack() {
        class Pair extends Layer {
            final Parameter first = parameter("first", f64(1), Parameter.Layout.PLAIN);
            final Parameter second = parameter("second", f64(2), Parameter.Layout.PLAIN);
        }
        Pair pair;
        Ema ema;
        try (Scope inner = Scope.open("inner")) {
            pair = new Pair();
            ema = new Ema(pair.parameters(), 0.9);
            inner.keep(pair.first.value());
            ema.average().values().forEach(inner::keep);
        }
        pair.first.value().add_(f64(5));
        assertThrows(IllegalStateException.class, () -> ema.within(() -> fail("the averages are not in place")));
        assertEquals(6, pair.first.value().item());
        assertEquals(1, ema.average().get("first").item());
    }

    @Test
    void stateIsNamedByParameterAndRestoringItContinuesExactly() {
        Bowl bowl = new Bowl(new double[] {2, -1}, 1, 3);
        Adam adam = Adam.adam(bowl.parameters());
        adam.step(bowl.slopes(), 0.1, 1);
        Bowl copy = new Bowl(bowl.w.value().toDoubles(), 1, 3);
        Adam resumed = Adam.adam(copy.parameters());
        Map<String, Tensor> saved = adam.state();
        resumed.state().forEach((name, tensor) -> tensor.set_(saved.get(name)));
        resumed.restore(adam.steps());
        adam.step(bowl.slopes(), 0.1, 1);
        resumed.step(copy.slopes(), 0.1, 1);
        assertArrayEquals(bowl.w.value().toDoubles(), copy.w.value().toDoubles(), 0);
        assertTrue(saved.containsKey("exp_avg/w") && saved.containsKey("exp_avg_sq/w"));
    }
}
