package autograd;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import autograd.ops.Add;
import autograd.ops.Cast;
import autograd.ops.CastAll;
import autograd.ops.CrossEntropy;
import autograd.ops.GroupNorm;
import autograd.ops.MeanSquaredError;
import autograd.ops.Mul;
import autograd.ops.Pointwise;
import autograd.ops.Reshape;
import autograd.ops.Scale;
import autograd.ops.Split;
import autograd.ops.Sum;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import tensor.DType;
import tensor.Shape;
import tensor.Tensor;
import tensor.backend.Backend;
import tensor.backend.NormParams;
import tensor.backend.reference.ReferenceBackend;
import tensor.memory.Scope;

class TapeTest {
    private final Backend backend = new ReferenceBackend();
    private Scope scope;

    @BeforeEach
    void open() {
        scope = Scope.open("test");
    }

    @AfterEach
    void everythingComesBack() {
        scope.close();
        assertEquals(0, backend.memory().live());
        assertFalse(Tape.isRecording());
    }

    private Tensor f64(double... values) {
        return Tensor.of(backend, DType.F64, Shape.of(values.length), values);
    }

    @Test
    void gradientOfASharedWeightIsTheSum() {
        Variable w = Variable.leaf(f64(3));
        try (Tape tape = Tape.start()) {
            Variable y = Add.add(Mul.mul(w, w), Scale.scale(w, 5)); // w² + 5w
            assertArrayEquals(
                    new double[] {2 * 3 + 5}, tape.backward(Sum.sum(y)).of(w).toDoubles());
        }
    }

    /** y = 2x, whose pullback adds to what is there. */
    private record Twice(List<Integer> seen) implements Op {
        @Override
        public Result apply(Tensor... x) {
            Pullback.Adding pullback = (dy, before, needed) -> {
                seen.add(before.length);
                Tensor dx = dy.mul(2);
                for (Tensor b : before) dx = dx.add(b);
                return new Tensor[] {dx};
            };
            return new Result(x[0].mul(2), pullback);
        }
    }

    @Test
    void whatAddsIsGivenWhatOtherUsesHaveContributed() {
        Variable x = Variable.leaf(f64(3));
        List<Integer> seen = new ArrayList<>();
        for (int others = 0; others < 5; others++)
            try (Tape tape = Tape.start()) {
                Variable y = Tape.record(new Twice(seen), x); // the sweep meets it last
                for (int i = 1; i <= others; i++) y = Add.add(y, Scale.scale(x, Math.pow(10, i)));
                double expected = 2;
                for (int i = 1; i <= others; i++) expected += Math.pow(10, i);
                assertArrayEquals(
                        new double[] {expected}, tape.backward(Sum.sum(y)).of(x).toDoubles());
            }
        assertEquals(List.of(0, 1, 2, 2, 2), seen, "a third contribution makes one of the first two");
    }

    @Test
    void whatAddsMayComeFirstOrInTheMiddle() {
        Variable x = Variable.leaf(f64(3));
        List<Integer> seen = new ArrayList<>();
        try (Tape tape = Tape.start()) {
            Variable y = Add.add(Mul.mul(x, x), Tape.record(new Twice(seen), x)); // x² + 2x
            Variable z = Add.add(y, Tape.record(new Twice(seen), x)); // and 2x again
            assertArrayEquals(
                    new double[] {2 * 3 + 4}, tape.backward(Sum.sum(z)).of(x).toDoubles());
        }
        assertEquals(List.of(0, 1), seen);
    }

    @Test
    void aGradientReadBetweenTwoContributionsIsTheirSumSoFarAndIsNotHandedIn() {
        Gradients gradients = new Gradients();
        Variable x = Variable.leaf(f64(0));
        Tensor[] parts = {f64(1), f64(20), f64(300), f64(4000)};
        gradients.add(x, parts[0]);
        gradients.add(x, parts[1]);
        assertEquals(21, gradients.of(x).item());
        gradients.add(x, parts[2]);
        gradients.add(x, parts[3]);
        assertEquals(4321, gradients.take(x).item());
        assertNull(gradients.of(x));
        assertEquals(0, gradients.takeParts(x).length);
        for (int i = 0; i < parts.length; i++) assertEquals((i + 1) * Math.pow(10, i), parts[i].item());
    }

    @Test
    void twoContributionsAreGivenUnsummedAndThreeAsASumAndTheLast() {
        Gradients gradients = new Gradients();
        Variable x = Variable.leaf(f64(0));
        Tensor[] parts = {f64(1), f64(20), f64(300)};
        gradients.add(x, parts[0]);
        gradients.add(x, parts[1]);
        assertArrayEquals(new Tensor[] {parts[0], parts[1]}, gradients.takeParts(x));
        for (Tensor part : parts) gradients.add(x, part);
        Tensor[] taken = gradients.takeParts(x);
        assertEquals(21, taken[0].item());
        assertSame(parts[2], taken[1]);
    }

    @Test
    void aGradientThatWasRoundedGoesOnInTheTypeOfItsVariable() {
        Variable x = Variable.leaf(f64(3, 5));
        try (Tape tape = Tape.start()) {
            Variable square = Mul.mul(x, x);
            Variable rounded = CastAll.castAll(DType.F32, square)[0];
            Tensor dx = tape.backward(Sum.sum(rounded)).of(x);
            assertEquals(DType.F64, dx.dtype());
            assertArrayEquals(new double[] {6, 10}, dx.toDoubles());
        }
    }

    @Test
    void aLeafMayBeRoundedForOneUseAndNormalisedInAnother() {
        Variable x = Variable.leaf(f64(3, 5, 4, 1).reshape(1, 2, 2));
        Variable gamma = Variable.constant(f64(1, 2));
        Variable beta = Variable.constant(f64(0, 0));
        List<double[]> gradients = new ArrayList<>();
        for (DType type : new DType[] {DType.F64, DType.F32})
            try (Tape tape = Tape.start()) {
                Variable norm = GroupNorm.groupNorm(new NormParams(1, 1e-5, false), x, gamma, beta);
                Variable rounded = CastAll.castAll(type, x)[0]; // the sweep meets it first
                Variable sum = Add.add(Pointwise.square(norm), Cast.cast(rounded, DType.F64));
                Tensor dx = tape.backward(Sum.sum(sum)).of(x);
                assertEquals(DType.F64, dx.dtype());
                gradients.add(dx.toDoubles());
            }
        assertArrayEquals(gradients.get(0), gradients.get(1));
    }

    @Test
    void oneGradientHandedToTwoInputsIsNotSharedWhenOneGrows() {
        Variable a = Variable.leaf(f64(1));
        Variable b = Variable.leaf(f64(2));
        try (Tape tape = Tape.start()) {
            Variable sum = Add.add(a, b); // hands the same dy to both
            Variable y = Add.add(sum, Scale.scale(a, 10)); // a receives a second contribution
            Gradients g = tape.backward(Sum.sum(y));
            assertArrayEquals(new double[] {11}, g.of(a).toDoubles());
            assertArrayEquals(new double[] {1}, g.of(b).toDoubles());
        }
    }

    @Test
    void broadcastingIsUndoneForEveryOp() {
        Variable scalar = Variable.leaf(Tensor.full(backend, DType.F64, Shape.SCALAR, 2));
        Variable row = Variable.leaf(f64(1, 2, 3));
        Variable matrix = Variable.leaf(Tensor.of(backend, DType.F64, Shape.of(2, 3), 1, 1, 1, 2, 2, 2));
        try (Tape tape = Tape.start()) {
            Gradients g = tape.backward(Sum.sum(Mul.mul(Mul.mul(matrix, row), scalar)));
            assertEquals(Shape.SCALAR, g.of(scalar).shape());
            assertArrayEquals(new double[] {18}, g.of(scalar).toDoubles());
            assertArrayEquals(new double[] {6, 6, 6}, g.of(row).toDoubles());
            assertArrayEquals(new double[] {2, 4, 6, 2, 4, 6}, g.of(matrix).toDoubles());
        }
    }

    @Test
    void anOpWithSeveralValuesIsPulledBackOnceWithNullForWhatTheLossDoesNotReach() {
        Variable x = Variable.leaf(f64(3, 5));
        List<Integer> reached = new ArrayList<>();
        JointOp multiples =
                in -> new JointOp.Result(new Tensor[] {in[0].mul(1), in[0].mul(2), in[0].mul(3)}, (dy, needed) -> {
                    for (int k = 0; k < dy.length; k++) if (dy[k] != null) reached.add(k);
                    return new Tensor[] {dy[0].add(dy[2].mul(3))};
                });
        try (Tape tape = Tape.start()) {
            Variable[] y = Tape.recordAll(multiples, x);
            Variable product = Mul.mul(y[2], y[0]); // 3 x²
            assertArrayEquals(
                    new double[] {18, 30}, tape.backward(Sum.sum(product)).of(x).toDoubles());
            assertEquals(List.of(0, 2), reached);
        }
        Variable[] untaped = Tape.recordAll(multiples, x);
        assertArrayEquals(new double[] {6, 10}, untaped[1].value().toDoubles());
    }

    @Test
    void memoryFallsDuringTheSweep() {
        int n = 1000;
        Variable x = Variable.leaf(Tensor.full(backend, DType.F64, Shape.of(n), 0.1));
        List<Long> live = new ArrayList<>();
        Op watcher = in -> new Op.Result(in[0].mul(1), Pullback.perInput(dy -> {
            live.add(backend.memory().live());
            return dy;
        }));
        try (Tape tape = Tape.start()) {
            Variable y = x;
            for (int i = 0; i < 10; i++) y = Tape.record(watcher, Pointwise.tanh(y));
            long before = backend.memory().live();
            assertTrue(before > 20L * n * 8);
            tape.backward(Sum.sum(y));
            for (int i = 1; i < live.size(); i++) assertTrue(live.get(i) < live.get(i - 1), live::toString);
            assertTrue(backend.memory().live() < before / 5);
        }
    }

    @Test
    void theLossStaysReadableAndValuesOnTheWayAreGone() {
        Variable x = Variable.leaf(f64(1, 2));
        try (Tape tape = Tape.start()) {
            Variable middle = Pointwise.square(x);
            Variable loss = Sum.sum(middle);
            tape.backward(loss);
            assertEquals(5, loss.item());
            IllegalStateException e = assertThrows(
                    IllegalStateException.class, () -> middle.value().toDoubles());
            assertTrue(e.getMessage().contains("was released"), e.getMessage());
            assertArrayEquals(new double[] {1, 2}, x.value().toDoubles());
        }
    }

    @Test
    void theLossStaysReadableWhicheverValueOfItsOpItIs() {
        Variable x = Variable.leaf(f64(1, 2));
        for (int k = 0; k < 2; k++)
            try (Tape tape = Tape.start()) {
                Variable loss = Split.split(Pointwise.square(x), 0, 1, 1)[k];
                Gradients g = tape.backward(loss);
                assertEquals(k == 0 ? 1 : 4, loss.item());
                assertArrayEquals(
                        k == 0 ? new double[] {2, 0} : new double[] {0, 4},
                        g.of(x).toDoubles());
            }
    }

    @Test
    void aViewKeepsItsMemoryUntilBothAreDone() {
        Variable x = Variable.leaf(f64(1, 2, 3, 4));
        try (Tape tape = Tape.start()) {
            Variable y = Reshape.reshape(Pointwise.exp(x), 2, 2);
            double[] g = tape.backward(Sum.sum(Mul.mul(y, y))).of(x).toDoubles();
            for (int i = 0; i < 4; i++) assertEquals(2 * Math.exp(2 * (i + 1)), g[i], 1e-9 * g[i]);
        }
    }

    @Test
    void withoutATapeNothingIsNoted() {
        Variable x = Variable.leaf(f64(1));
        Variable y = Pointwise.exp(x);
        assertFalse(y.needsGradient());
        try (Tape tape = Tape.start()) {
            assertFalse(Pointwise.exp(Variable.constant(f64(1))).needsGradient());
            Variable loss = Sum.sum(Mul.mul(y, x));
            assertArrayEquals(new double[] {Math.E}, tape.backward(loss).of(x).toDoubles(), 1e-12);
        }
    }

    @Test
    void aTapeInATapeIsRefused() {
        try (Tape tape = Tape.start()) {
            assertThrows(IllegalStateException.class, Tape::start);
        }
    }

    @Test
    void theSweepStartsFromOneNumber() {
        Variable x = Variable.leaf(f64(1, 2));
        try (Tape tape = Tape.start()) {
            Variable y = Pointwise.exp(x);
            assertThrows(IllegalArgumentException.class, () -> tape.backward(y));
        }
    }

    @Test
    void aTapeIsSweptOnce() {
        Variable x = Variable.leaf(f64(1));
        try (Tape tape = Tape.start()) {
            Variable loss = Sum.sum(Pointwise.exp(x));
            tape.backward(loss);
            for (Variable again : List.of(loss, Sum.sum(Pointwise.exp(x))))
                assertThrows(IllegalStateException.class, () -> tape.backward(again));
        }
    }

    /** Of frozen parameters only, computed too early, or on another tape: a step by such a loss would change nothing. */
    @Test
    void aLossThatThisTapeHasNotSeenComputedIsRefused() {
        Variable x = Variable.leaf(f64(1));
        Variable early = Sum.sum(Pointwise.exp(x));
        List<Variable> losses = new ArrayList<>(List.of(early, x));
        try (Tape tape = Tape.start()) {
            losses.add(Sum.sum(Pointwise.exp(x)));
        }
        try (Tape tape = Tape.start()) {
            losses.add(Sum.sum(Pointwise.exp(Variable.constant(f64(1)))));
            for (Variable loss : losses) assertThrows(IllegalArgumentException.class, () -> tape.backward(loss));
            Variable loss = Sum.sum(Pointwise.exp(x));
            assertArrayEquals(new double[] {Math.E}, tape.backward(loss).of(x).toDoubles(), 1e-12);
        }
    }

    @Test
    void aTapeThatIsClosedAgainLeavesTheNextOneOpen() {
        Tape first = Tape.start();
        first.close();
        try (Tape next = Tape.start()) {
            first.close();
            assertTrue(Tape.isRecording());
        }
    }

    @Test
    void whatDoesNotReachTheLossHasNoGradient() {
        Variable x = Variable.leaf(f64(1));
        Variable unused = Variable.leaf(f64(2));
        try (Tape tape = Tape.start()) {
            Pointwise.exp(unused);
            Gradients g = tape.backward(Sum.sum(Pointwise.exp(x)));
            assertNull(g.of(unused));
            assertArrayEquals(new double[] {Math.E}, g.of(x).toDoubles(), 1e-12);
        }
    }

    @Test
    void anOpThatThrowsLeavesNothingBehind() {
        Variable x = Variable.leaf(f64(1, 2));
        Op broken = in -> {
            in[0].mul(2);
            throw new IllegalArgumentException("broken forward");
        };
        Op brokenBackward = in -> new Op.Result(in[0].mul(1), Pullback.perInput(dy -> {
            dy.mul(2);
            throw new IllegalArgumentException("broken backward");
        }));
        try (Tape tape = Tape.start()) {
            assertThrows(IllegalArgumentException.class, () -> Tape.record(broken, x));
            Variable y = Tape.record(brokenBackward, Pointwise.exp(x));
            assertThrows(IllegalArgumentException.class, () -> tape.backward(Sum.sum(y)));
        }
    }

    /** Of more than two, the gradients would be numbers that nobody wrote. */
    @Test
    void aNormOfThreeConditionsIsRefused() {
        Variable x = Variable.leaf(f64(1, 2).reshape(1, 1, 2));
        Variable vector = Variable.leaf(f64(1, 2));
        Variable condition = Variable.leaf(f64(1, 2).reshape(1, 2));
        NormParams p = new NormParams(1, 1e-5, false);
        assertThrows(
                IllegalArgumentException.class,
                () -> GroupNorm.groupNorm(p, x, vector, vector, condition, condition, condition));
    }

    @Test
    void aLabelThatNamesNoClassIsRefused() {
        Variable logits = Variable.leaf(f64(1, 2, 3, 4).reshape(2, 2));
        for (double wrong : new double[] {-1, 2, 0.5, Double.NaN}) {
            Variable label = Variable.constant(f64(1, wrong));
            assertThrows(IllegalArgumentException.class, () -> CrossEntropy.crossEntropy(logits, label));
        }
    }

    /** [N,1] and [N] broadcast to [N,N]: every prediction would be compared with every truth. */
    @Test
    void aLossOfTwoShapesIsRefused() {
        Variable prediction = Variable.leaf(f64(1, 2).reshape(2, 1));
        Variable truth = Variable.constant(f64(1, 2));
        IllegalArgumentException e = assertThrows(
                IllegalArgumentException.class, () -> MeanSquaredError.meanSquaredError(prediction, truth));
        assertEquals("expected shape [2], found [2, 1]", e.getMessage());
    }
}
