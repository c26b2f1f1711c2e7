package nn;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import autograd.Gradients;
import autograd.Tape;
import autograd.Variable;
import autograd.ops.Add;
import autograd.ops.Cast;
import autograd.ops.Concat;
import autograd.ops.Pointwise;
import autograd.ops.Reshape;
import autograd.ops.Sum;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.Supplier;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import tensor.DType;
import tensor.Rng;
import tensor.Shape;
import tensor.Tensor;
import tensor.backend.Backend;
import tensor.backend.Distribution;
import tensor.backend.NormParams;
import tensor.backend.reference.ReferenceBackend;
import tensor.memory.Scope;

class LayersTest {
    private final Backend backend = new ReferenceBackend();
    private final Init init = Init.pytorch(backend, DType.F32, new Rng(5));
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

    private Variable normal(int... shape) {
        return Variable.constant(new Rng(1).draw(Distribution.NORMAL, backend, DType.F32, Shape.of(shape)));
    }

    @Test
    void namesArePathsInTheOrderOfRegistration() {
        Sequential net = new Sequential(
                new Conv2d(init, 1, 4, 3, 1, 1), UnaryLayer.of(Pointwise::silu), new GroupNorm(init, 2, 4, 1e-5));
        assertEquals(
                List.of("0.weight", "0.bias", "2.weight", "2.bias"),
                new ArrayList<>(net.parameters().keySet()));
        assertEquals(4 * 9 + 4 + 4 + 4, net.parameterCount());
    }

    @Test
    void weightsStartUniformWithinOneOverTheRootOfFanIn() {
        Parameter weight = new Conv2d(init, 16, 32, 3, 1, 1).parameters().get("weight");
        double bound = 1 / Math.sqrt(16 * 9);
        float[] w = weight.value().toFloats();
        double square = 0;
        for (float v : w) {
            assertTrue(Math.abs(v) <= bound);
            square += v * v;
        }
        assertEquals(bound * bound / 3, square / w.length, 0.05 * bound * bound / 3); // variance of a uniform
    }

    @Test
    void zeroRuleMakesLayersThatContributeNothing() {
        Init zero = init.with(Init.Rule.ZERO);
        Variable x = normal(2, 4, 4, 3);
        float[] y = new Conv2d(zero, 3, 5, 3, 1, 1).forward(x).value().toFloats();
        assertArrayEquals(new float[y.length], y);
        y = new GroupNorm(zero, 3, 3, 1e-5).forward(x).value().toFloats();
        assertArrayEquals(new float[y.length], y);
    }

    @Test
    void parametersRoundedTogetherGiveTheBitsOfThoseRoundedOneByOne() {
        class Net extends Layer {
            private final Conv2d convolution = child("convolution", new Conv2d(init, 3, 5, 3, 1, 1));
            private final GroupNorm norm = child("norm", new GroupNorm(init, 1, 5, 1e-5)); // stays exact
            private final Linear linear = child("linear", new Linear(init, 5, 2));

            List<float[]> valueAndGradients(boolean together) {
                Variable x = Cast.cast(normal(2, 4, 4, 3), DType.BF16);
                Supplier<Variable> body = () -> linear.forward(norm.forward(convolution.forward(x)));
                List<float[]> all = new ArrayList<>();
                try (Tape tape = Tape.start()) {
                    Supplier<Variable> within = () -> rounded(DType.BF16, body);
                    Variable y = together ? rounded(DType.BF16, within) : body.get();
                    assertEquals(DType.BF16, y.value().dtype());
                    all.add(y.value().toFloats());
                    Gradients g = tape.backward(Sum.sum(Cast.cast(Pointwise.square(y), DType.F32)));
                    parameters().forEach((name, p) -> {
                        boolean rounded = together && !name.startsWith("norm");
                        assertEquals(
                                rounded ? DType.BF16 : DType.F32,
                                g.of(p.variable()).dtype());
                        all.add(g.of(p.variable()).toFloats());
                    });
                }
                return all;
            }
        }
        Net net = new Net();
        List<float[]> together = net.valueAndGradients(true);
        List<float[]> apart = net.valueAndGradients(false);
        assertEquals(7, together.size());
        for (int i = 0; i < 7; i++) assertArrayEquals(apart.get(i), together.get(i));
        Variable y = net.linear.forward(normal(1, 5));
        assertEquals(DType.F32, y.value().dtype(), "afterwards the layers compute in what they are given");
    }

    @Test
    void aNormOfAnOffsetIsTheNormOfTheSum() {
        Conv2d convolution = new Conv2d(init, 3, 6, 3, 1, 1);
        GroupNorm norm = new GroupNorm(init, new NormParams(2, 1e-5, true), 6);
        Variable x = normal(2, 4, 4, 3);
        Variable offset = normal(2, 6);
        Variable sum = Add.add(convolution.forward(x), Reshape.reshape(offset, 2, 1, 1, 6));
        Variable biases = Add.add(offset, convolution.bias(x));
        assertArrayEquals(
                norm.forward(sum).value().toFloats(),
                norm.forward(convolution.withoutBias(x), biases).value().toFloats(),
                1e-5f);
    }

    @Test
    void theEndOfAResidualBlockIsASum() {
        Conv2d layer = new Conv2d(init, 3, 5, 3, 1, 1);
        Variable x = normal(2, 4, 4, 3);
        Variable z = normal(2, 4, 4, 5);
        float[] expected = Add.add(layer.forward(x), z).value().toFloats();
        assertArrayEquals(expected, layer.onto(z, x).value().toFloats(), 1e-5f);
    }

    @Test
    void theSumOfTwoConvolutionsIsTheirSum() {
        Conv2d f = new Conv2d(init, 3, 5, 3, 1, 1);
        Conv2d g = new Conv2d(init, 2, 5, 1, 1, 0);
        Variable x = normal(2, 4, 4, 3);
        Variable z = normal(2, 4, 4, 2);
        float[] expected = Add.add(f.forward(x), g.forward(z)).value().toFloats();
        assertArrayEquals(expected, Conv2d.sum(f, x, g, z).value().toFloats(), 1e-5f);
    }

    @Test
    void mapsSideBySideAreTheMapsOneByOne() {
        Linear a = new Linear(init, 6, 4);
        Linear b = new Linear(init, 6, 3);
        Variable x = normal(2, 5, 6);
        float[] expected = Concat.concat(2, a.forward(x), b.forward(x)).value().toFloats();
        Variable y = Linear.sideBySide(x, a, b);
        y.shape().expect(2, 5, 7);
        assertArrayEquals(expected, y.value().toFloats(), 1e-6f);
    }

    /** Mean 0 and variance 1 of every filter: the sign slip that lived in a tutorial for a year multiplies instead. */
    @Test
    void standardizedFiltersHaveMeanZeroAndVarianceOne() {
        StandardizedConv2d layer = new StandardizedConv2d(init, 6, 5, 3, 1, 1);
        float[] w = layer.filter(normal(1, 3, 3, 6)).value().toFloats();
        for (int k = 0; k < 5; k++) {
            double mean = 0;
            double square = 0;
            for (int i = 0; i < 54; i++) {
                mean += w[k * 54 + i] / 54;
                square += w[k * 54 + i] * w[k * 54 + i] / 54;
            }
            assertEquals(0, mean, 1e-6);
            assertEquals(1, square - mean * mean, 5e-3); // eps = 1e−5 beside a variance of 1/162
        }
        assertEquals(
                List.of("weight", "bias"), new ArrayList<>(layer.parameters().keySet()));
    }

    @Test
    void filtersAreExchangedInPyTorchsOrder() {
        Parameter p = new Conv2d(init, 2, 3, 2, 1, 0).parameters().get("weight");
        assertEquals(Shape.of(3, 2, 2, 2), p.exchangeShape());
        Parameter wide = new Conv2d(init, 4, 3, 2, 1, 0).parameters().get("weight");
        assertEquals(Shape.of(3, 4, 2, 2), wide.exchangeShape());
        float[] ours = wide.value().toFloats(); // [K,R,S,C]
        float[] theirs = wide.toExchange(wide.value()); // [K,C,R,S]
        for (int k = 0; k < 3; k++)
            for (int c = 0; c < 4; c++)
                for (int rs = 0; rs < 4; rs++) assertEquals(ours[(k * 4 + rs) * 4 + c], theirs[(k * 4 + c) * 4 + rs]);
        Tensor back = wide.value().emptyLike();
        wide.fromExchange(theirs, back);
        assertArrayEquals(ours, back.toFloats());
    }

    @Test
    void transposedConvolutionDoublesTheImage() {
        Variable y = new ConvTranspose2d(init, 6, 4, 4, 2, 1).forward(normal(1, 3, 5, 6));
        assertEquals(Shape.of(1, 6, 10, 4), y.shape());
    }

    @Test
    void linearKeepsTheLeadingAxes() {
        assertEquals(
                Shape.of(2, 3, 7),
                new Linear(init, 5, 7).forward(normal(2, 3, 5)).shape());
    }

    @Test
    void dropoutActsOnlyWhileATapeRecords() {
        Rng rng = new Rng(3);
        Dropout dropout = new Dropout(0.25, () -> rng);
        Variable x = Variable.leaf(normal(1000).value().fullLike(1));
        assertSame(x, dropout.forward(x));
        try (Tape tape = Tape.start()) {
            float[] y = dropout.forward(x).value().toFloats();
            long kept = Arrays.stream(toDoubles(y)).filter(v -> v != 0).count();
            assertEquals(750, kept, 60);
            for (float v : y) assertTrue(v == 0 || Math.abs(v - 4 / 3.0) < 1e-6);
            assertNotEquals(0, rng.offset());
        }
    }

    @Test
    void dropoutInANormIsTheLayerAfterIt() {
        NormParams p = new NormParams(4, 1e-5, true);
        GroupNorm norm = new GroupNorm(init, p, 28);
        Rng inside = new Rng(3);
        Rng outside = new Rng(3);
        GroupNorm both = new GroupNorm(init, p, 28, new Dropout(0.5, () -> inside));
        Dropout dropout = new Dropout(0.5, () -> outside);
        Variable x = normal(2, 5, 3, 28);
        assertArrayEquals(
                norm.forward(x).value().toFloats(), both.forward(x).value().toFloats());
        assertEquals(0, inside.offset());
        try (Tape tape = Tape.start()) {
            assertArrayEquals(
                    dropout.forward(norm.forward(x)).value().toFloats(),
                    both.forward(x).value().toFloats());
            assertEquals(2 * 5 * 3 * 28, inside.offset());
        }
    }

    private static double[] toDoubles(float[] x) {
        double[] y = new double[x.length];
        for (int i = 0; i < x.length; i++) y[i] = x[i];
        return y;
    }

    @Test
    void impossibleLayersAreRefused() {
        assertThrows(IllegalArgumentException.class, () -> new GroupNorm(init, 3, 28, 1e-5));
        assertThrows(IllegalArgumentException.class, () -> new Dropout(1, () -> new Rng(1)));
    }
}
