package bench;

import static org.junit.jupiter.api.Assertions.assertEquals;

import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import tensor.DType;
import tensor.Shape;
import tensor.Tensor;
import tensor.backend.AttentionParams;
import tensor.backend.Backend;
import tensor.backend.Backends;
import tensor.backend.Conv2dParams;
import tensor.backend.Precision;
import tensor.backend.Region;
import tensor.memory.Scope;

/** Work counted by hand. */
class WorkTest {
    private final Backend on = Backends.open("reference").backend();
    private Scope scope;

    @BeforeEach
    void open() {
        scope = Scope.open("test");
    }

    @AfterEach
    void close() throws Exception {
        scope.close();
        on.close();
    }

    private Tensor of(int... extents) {
        return Tensor.empty(on, DType.F32, Shape.of(extents));
    }

    @Test
    void aConvolutionIsTwoOperationsForEachTapOfEachOutput() {
        Conv2dParams p = Conv2dParams.of(2, 1);
        Tensor x = of(2, 8, 6, 5);
        Tensor w = of(7, 3, 3, 5);
        Tensor y = of(2, 4, 3, 7);
        double flop = 2.0 * (2 * 4 * 3 * 7) * (3 * 3 * 5);
        double bytes = 4.0 * (2 * 8 * 6 * 5 + 7 * 3 * 3 * 5 + 2 * 4 * 3 * 7);
        assertEquals(new Work(flop, bytes), Work.of("conv2d", new Object[] {p, x, w, null, null, y}));
        assertEquals(new Work(flop, bytes + 28), Work.of("conv2d", new Object[] {p, x, w, of(7), null, y}));
        assertEquals(new Work(flop, bytes), Work.of("conv2dBackwardData", new Object[] {p, w, y, x}));
        assertEquals(new Work(flop, bytes + 28), Work.of("conv2dBackwardWeights", new Object[] {p, x, y, w, of(7)}));
    }

    @Test
    void aConvolutionThatEnlargesIsCountedOverTheLargeImage() {
        Conv2dParams p = Conv2dParams.of(1, 1).enlarging(2);
        Tensor x = of(2, 8, 6, 5);
        Tensor w = of(7, 3, 3, 5);
        Tensor y = of(2, 16, 12, 7);
        double flop = 2.0 * (2 * 16 * 12 * 7) * (3 * 3 * 5);
        double bytes = 4.0 * (2 * 8 * 6 * 5 + 7 * 3 * 3 * 5 + 2 * 16 * 12 * 7);
        assertEquals(new Work(flop, bytes), Work.of("conv2d", new Object[] {p, x, w, null, null, y}));
        assertEquals(new Work(flop, bytes), Work.of("conv2dBackwardData", new Object[] {p, w, y, x}));
        assertEquals(new Work(flop, bytes), Work.of("conv2dBackwardWeights", new Object[] {p, x, y, w, null}));
    }

    @Test
    void aProductIsTwoOperationsForEachInnerElementOfEachOutput() {
        Tensor y = of(3, 5, 9);
        for (boolean ta : new boolean[] {false, true})
            assertEquals(
                    2.0 * 3 * 5 * 9 * 7,
                    Work.of("matmul", new Object[] {ta, false, ta ? of(3, 7, 5) : of(3, 5, 7), of(3, 7, 9), null, y})
                            .flop());
    }

    @Test
    void attentionIsTwoProductsForwardAndFourBackward() {
        AttentionParams p = new AttentionParams(2, 1);
        Object[] arguments = {p, of(3, 10, 2 * 3 * 4)};
        assertEquals(
                2 * 2.0 * 3 * 2 * 10 * 10 * 4, Work.of("attention", arguments).flop());
        assertEquals(
                2 * 2.0 * 3 * 2 * 10 * 4 * 4,
                Work.of("linearAttention", new Object[] {p, arguments[1], null}).flop());
        assertEquals(
                2 * 2.0 * 3 * 2 * 10 * 4 * 4 + 2.0 * 3 * 10 * 24 * 7,
                Work.of("linearAttention", new Object[] {p, of(3, 10, 7), of(24, 7)})
                        .flop());
        assertEquals(
                4 * 2.0 * 3 * 2 * 10 * 10 * 4,
                Work.of("attentionBackward", arguments).flop());
    }

    @Test
    void aRepeatedElementIsReadOnce() {
        Region from = Region.of(of(6, 1)).repeat(1, 100);
        Region to = Region.of(of(6, 100));
        assertEquals(new Work(0, 4 * 6 + 4 * 600), Work.of("copy", new Object[] {from, to}));
    }

    @Test
    void adamReadsFourArraysAndWritesThree() {
        Tensor[] a = {of(10), of(20)};
        assertEquals(
                4 * 30 * 7.0, Work.of("adam", new Object[] {null, a, a, a, a}).bytes());
        assertEquals(
                4 * 30 * 3.0,
                Work.of("exponentialAverage", new Object[] {0.9, a, a}).bytes());
    }

    @Test
    void theFloorIsTheSlowerOfTheTwoRoofs() {
        Peaks peaks = new Peaks(1, 100e9, 0, 10e9);
        assertEquals(2, new Work(200e9, 10e9).seconds(peaks, Precision.FP32));
        assertEquals(3, new Work(200e9, 30e9).seconds(peaks, Precision.FP32));
    }
}
