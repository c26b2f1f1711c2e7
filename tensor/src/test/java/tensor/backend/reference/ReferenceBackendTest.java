package tensor.backend.reference;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import tensor.DType;
import tensor.Shape;
import tensor.Tensor;
import tensor.backend.AdamParams;
import tensor.backend.AttentionParams;
import tensor.backend.Backend;
import tensor.backend.BinaryOp;
import tensor.backend.Conv2dParams;
import tensor.backend.NormInputs;
import tensor.backend.NormParams;
import tensor.backend.ReduceOp;
import tensor.backend.UnaryOp;
import tensor.memory.Scope;

/** Every call on numbers small enough to be worked out on paper. */
class ReferenceBackendTest {
    private static final double LN2 = Math.log(2);
    private static final double LN3 = Math.log(3);

    private final Backend backend = new ReferenceBackend();
    private Scope scope;

    @BeforeEach
    void open() {
        scope = Scope.open("test");
    }

    @AfterEach
    void close() {
        scope.close();
        backend.close();
    }

    private Tensor of(Shape shape, double... values) {
        return Tensor.of(backend, DType.F64, shape, values);
    }

    private Tensor row(double... values) {
        return of(Shape.of(values.length), values);
    }

    private Tensor room(int... extents) {
        return Tensor.empty(backend, DType.F64, Shape.of(extents));
    }

    private static void assertValues(Tensor y, double... expected) {
        assertArrayEquals(expected, y.toDoubles(), 1e-14);
    }

    // ---- memory -----------------------------------------------------------------------------------------------

    @Test
    void newMemoryHoldsNoNumbers() {
        for (double value : room(5).toDoubles()) assertTrue(Double.isNaN(value));
    }

    @Test
    void floatsAreRoundedOnceAndDoublesNotAtAll() {
        Tensor narrow = Tensor.of(backend, DType.F32, Shape.of(2), 0.1, 1 + 0x1p-25);
        assertArrayEquals(new double[] {0.1f, 1}, narrow.toDoubles());
        assertArrayEquals(new float[] {0.1f, 1}, narrow.toFloats());
        Tensor wide = of(Shape.of(2), 0.1, 1 + 0x1p-25);
        assertArrayEquals(new double[] {0.1, 1 + 0x1p-25}, wide.toDoubles());
        assertArrayEquals(new float[] {0.1f, 1}, wide.toFloats());
        assertEquals(8 + 16, backend.memory().live());
    }

    @Test
    void aSumOfFloatsIsAddedInDouble() {
        Tensor x = Tensor.of(backend, Shape.of(3), 1e8f, 1, -1e8f);
        assertEquals(1, x.sum().item());
    }

    @Test
    void everyWriteIsCounted() {
        Tensor x = row(1, 2);
        long before = x.buffer().version();
        backend.fill(x, 3);
        x.add_(x);
        backend.exponentialAverage(0.5, new Tensor[] {x}, new Tensor[] {row(0, 0)});
        assertEquals(before + 3, x.buffer().version());
        x.toDoubles();
        assertEquals(before + 3, x.buffer().version());
    }

    @Test
    void closingWithLiveTensorsThrows() {
        row(1);
        assertEquals(
                "8 bytes are still in use by tensors",
                assertThrows(IllegalStateException.class, backend::close).getMessage());
    }

    // ---- pointwise, movement ----------------------------------------------------------------------------------

    @Test
    void unaryAndBinaryReadTheTable() {
        assertValues(row(1, 4, 9).map(UnaryOp.SQRT), 1, 2, 3);
        Tensor column = of(Shape.of(2, 1), 1, 2);
        assertValues(column.map(BinaryOp.MUL, row(10, 20, 30)), 10, 20, 30, 20, 40, 60);
        assertValues(row(1, 5).map(BinaryOp.GREATER_EQUAL, row(2, 5)), 0, 1);
    }

    @Test
    void reduceKeepsTheAxesWhereYHasExtent() {
        Tensor x = of(Shape.of(2, 3), 1, 5, 3, 4, 2, 6);
        assertValues(x.reduce(ReduceOp.SUM, Shape.of(2, 1)), 9, 12);
        assertValues(x.reduce(ReduceOp.SUM, Shape.of(1, 3)), 5, 7, 9);
        assertValues(x.reduce(ReduceOp.MAX, Shape.of(2, 1)), 5, 6);
        assertValues(x.reduce(ReduceOp.MAX, Shape.of(1, 1)), 6);
        assertValues(x.reduce(ReduceOp.SUM, x.shape()), 1, 5, 3, 4, 2, 6);
    }

    @Test
    void gatherPicksRowsAndScatterAddPutsThemBack() {
        Tensor table = of(Shape.of(3, 2), 1, 2, 3, 4, 5, 6);
        Tensor index = row(2, 0, 2);
        Tensor y = room(3, 2);
        backend.gather(table, index, y);
        assertValues(y, 5, 6, 1, 2, 5, 6);
        Tensor dtable = room(3, 2);
        backend.scatterAdd(index, of(Shape.of(3, 2), 1, 10, 2, 20, 3, 30), dtable);
        assertValues(dtable, 2, 20, 0, 0, 4, 40);
    }

    // ---- linear algebra ---------------------------------------------------------------------------------------

    @Test
    void matmulOfEveryTransposition() {
        Tensor a = of(Shape.of(2, 2), 1, 2, 3, 4);
        Tensor b = of(Shape.of(2, 2), 5, 6, 7, 8);
        Tensor y = room(2, 2);
        backend.matmul(false, false, a, b, null, y);
        assertValues(y, 19, 22, 43, 50);
        backend.matmul(true, false, a, b, null, y);
        assertValues(y, 26, 30, 38, 44);
        backend.matmul(false, true, a, b, null, y);
        assertValues(y, 17, 23, 39, 53);
        backend.matmul(true, true, a, b, row(100, 200), y);
        assertValues(y, 123, 231, 134, 246);
    }

    @Test
    void aMatrixServesEveryBatch() {
        Tensor a = of(Shape.of(2, 1, 2), 1, 2, 3, 4);
        Tensor b = of(Shape.of(2, 1), 10, 100);
        Tensor y = room(2, 1, 1);
        backend.matmul(false, false, a, b, null, y);
        assertValues(y, 210, 430);
        Tensor left = room(2, 2, 2);
        backend.matmul(false, false, b, a, null, left); // [2,1] · [2,1,2]
        assertValues(left, 10, 20, 100, 200, 30, 40, 300, 400);
    }

    @Test
    void convolutionSlidesTheFilterWithoutFlippingIt() {
        Tensor x = of(Shape.of(1, 3, 3, 1), 1, 2, 3, 4, 5, 6, 7, 8, 9);
        Tensor w = of(Shape.of(1, 2, 2, 1), 1, 2, 3, 4);
        Tensor y = room(1, 2, 2, 1);
        backend.conv2d(Conv2dParams.of(1, 0), x, w, null, null, y);
        assertValues(y, 37, 47, 67, 77);
        backend.conv2d(Conv2dParams.of(2, 1), x, w, row(100), null, y);
        assertValues(y, 104, 118, 136, 177);
    }

    @Test
    void aConvolutionMayEnlargeItsImage() {
        Tensor x = of(Shape.of(1, 2, 2, 1), 1, 2, 3, 4);
        Tensor large = of(Shape.of(1, 4, 4, 1), 1, 1, 2, 2, 1, 1, 2, 2, 3, 3, 4, 4, 3, 3, 4, 4);
        Tensor w = of(Shape.of(1, 3, 3, 1), 1, 2, 3, 4, 5, 6, 7, 8, 9);
        Tensor y = room(1, 4, 4, 1);
        Tensor wanted = room(1, 4, 4, 1);
        Conv2dParams p = Conv2dParams.of(1, 1);
        backend.conv2d(p, large, w, row(100), null, wanted);
        backend.conv2d(p.enlarging(2), x, w, row(100), null, y);
        assertArrayEquals(wanted.toDoubles(), y.toDoubles());
        Tensor dlarge = large.emptyLike();
        Tensor dx = x.emptyLike();
        backend.conv2dBackwardData(p, w, large, dlarge);
        backend.conv2dBackwardData(p.enlarging(2), w, large, dx);
        Tensor sums = room(1, 2, 1, 2, 1, 1);
        backend.reduce(ReduceOp.SUM, dlarge.reshape(1, 2, 2, 2, 2, 1), sums);
        assertArrayEquals(sums.toDoubles(), dx.toDoubles());
        Tensor dw = w.emptyLike();
        Tensor wantedDw = w.emptyLike();
        backend.conv2dBackwardWeights(p, large, y, wantedDw, null);
        backend.conv2dBackwardWeights(p.enlarging(2), x, y, dw, null);
        assertArrayEquals(wantedDw.toDoubles(), dw.toDoubles());
    }

    @Test
    void theGradientsOfAConvolutionOnPaper() {
        Conv2dParams p = Conv2dParams.of(1, 0);
        Tensor x = of(Shape.of(1, 3, 3, 1), 1, 2, 3, 4, 5, 6, 7, 8, 9);
        Tensor w = of(Shape.of(1, 2, 2, 1), 1, 2, 3, 4);
        Tensor dy = of(Shape.of(1, 2, 2, 1), 1, 1, 1, 1);
        Tensor dx = x.emptyLike();
        backend.conv2dBackwardData(p, w, dy, dx);
        assertValues(dx, 1, 3, 2, 4, 10, 6, 3, 7, 4);
        Tensor dw = w.emptyLike();
        Tensor dbias = room(1);
        backend.conv2dBackwardWeights(p, x, dy, dw, dbias);
        assertValues(dw, 12, 16, 24, 28);
        assertValues(dbias, 4);
    }

    @Test
    void asymmetricPaddingPutsZerosWhereItSays() {
        Tensor x = of(Shape.of(1, 1, 1, 1), 1);
        Tensor w = of(Shape.of(1, 2, 2, 1), 1, 2, 3, 4);
        Tensor y = room(1, 1, 1, 1);
        backend.conv2d(new Conv2dParams(1, 1, 0, 0, 1, 1), x, w, null, null, y); // a row above, a column at the right
        assertValues(y, 3);
        backend.conv2d(new Conv2dParams(1, 0, 1, 1, 0, 1), x, w, null, null, y); // a row below, a column at the left
        assertValues(y, 2);
    }

    @Test
    void groupsDoNotSeeEachOther() {
        Tensor x = of(Shape.of(1, 1, 1, 2), 3, 5);
        Tensor depthwise = room(1, 1, 1, 2);
        backend.conv2d(Conv2dParams.depthwise(0, 2), x, of(Shape.of(2, 1, 1, 1), 10, 100), null, null, depthwise);
        assertValues(depthwise, 30, 500);
        Tensor y = room(1, 1, 1, 4);
        Conv2dParams twoGroups = new Conv2dParams(1, 0, 0, 0, 0, 2);
        Tensor w = of(Shape.of(4, 1, 1, 1), 1, 10, 100, 1000); // two filters for each group
        backend.conv2d(twoGroups, x, w, null, null, y);
        assertValues(y, 3, 30, 500, 5000);
        Tensor dx = x.emptyLike();
        backend.conv2dBackwardData(twoGroups, w, of(Shape.of(1, 1, 1, 4), 1, 1, 1, 1), dx);
        assertValues(dx, 11, 1100);
        Tensor dw = w.emptyLike();
        backend.conv2dBackwardWeights(twoGroups, x, of(Shape.of(1, 1, 1, 4), 1, 2, 3, 4), dw, null);
        assertValues(dw, 3, 6, 15, 20);
    }

    @Test
    void aTransposedConvolutionDoublesTheImage() {
        Conv2dParams p = Conv2dParams.of(2, 1);
        Tensor dy = of(Shape.of(1, 1, 2, 1), 1, 10);
        Tensor w = of(Shape.of(1, 4, 4, 1), 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16);
        Tensor dx = Tensor.empty(backend, DType.F64, p.transposedShape(dy.shape(), w.shape()));
        assertEquals(Shape.of(1, 2, 4, 1), dx.shape());
        backend.conv2dBackwardData(p, w, dy, dx);
        // filter rows 1 and 2; columns 1, 2, 3 of the first copy and, two to the right, 0, 1, 2 of the second
        assertValues(dx, 6, 7 + 50, 8 + 60, 70, 10, 11 + 90, 12 + 100, 110);
    }

    // ---- normalisation, softmax, attention --------------------------------------------------------------------

    @Test
    void groupNormOnPaper() {
        Tensor x = of(Shape.of(1, 2, 2), 1, 2, 3, 6);
        Tensor y = x.emptyLike();
        Tensor mean = room(1, 1);
        Tensor rstd = room(1, 1);
        backend.groupNorm(new NormParams(1, 0.5, false), null, NormInputs.of(x), y, mean, rstd);
        assertValues(mean, 3);
        assertValues(rstd, 0.5); // 1 / √(3.5 + 0.5)
        assertValues(y, -1, -0.5, 0, 1.5);

        Tensor means = room(1, 2);
        Tensor rstds = room(1, 2);
        NormParams perChannel = new NormParams(2, 0, false);
        Tensor gamma = row(2, 3);
        Tensor beta = row(1, -1);
        backend.groupNorm(perChannel, null, new NormInputs(x, null, gamma, beta, null, null), y, means, rstds);
        assertValues(means, 2, 4);
        assertValues(rstds, 1, 0.5);
        assertValues(y, -1, -4, 3, 2);

        Tensor scale = of(Shape.of(1, 2), 1, 0);
        Tensor shift = of(Shape.of(1, 2), 0, 10);
        backend.groupNorm(perChannel, null, new NormInputs(x, null, gamma, beta, scale, shift), y, means, rstds);
        assertValues(y, -2, 6, 6, 12);
        backend.groupNorm(
                new NormParams(2, 0, true), null, new NormInputs(x, null, gamma, beta, scale, shift), y, means, rstds);
        assertValues(y, UnaryOp.SILU.apply(-2), UnaryOp.SILU.apply(6), UnaryOp.SILU.apply(6), UnaryOp.SILU.apply(12));
    }

    @Test
    void softmaxOnPaperAlongEitherAxis() {
        Tensor x = of(Shape.of(2, 2), 0, LN3, 1000, 1000);
        Tensor y = x.emptyLike();
        backend.softmax(1, x, y);
        assertValues(y, 0.25, 0.75, 0.5, 0.5);
        Tensor dx = x.emptyLike();
        backend.softmaxBackward(1, y, of(Shape.of(2, 2), 4, 0, 1, 1), dx);
        assertValues(dx, 0.75, -0.75, 0, 0); // Σ y dy = 1
        backend.softmax(0, of(Shape.of(2, 2), 0, LN2, 0, 0), y);
        assertValues(y, 0.5, 2 / 3.0, 0.5, 1 / 3.0);
    }

    @Test
    void attentionOnPaper() {
        AttentionParams p = new AttentionParams(1, 1);
        Tensor qkv = of(Shape.of(1, 2, 3), 1, 0, 4, 2, LN3, 8); // rows (q, k, v)
        Tensor y = room(1, 2, 1);
        Tensor logSum = room(1, 1, 2);
        backend.attention(p, qkv, y, logSum);
        assertValues(y, 0.25 * 4 + 0.75 * 8, 0.1 * 4 + 0.9 * 8);
        assertValues(logSum, Math.log(4), Math.log(10));
        Tensor dqkv = qkv.emptyLike();
        backend.attentionBackward(p, qkv, y, logSum, of(Shape.of(1, 2, 1), 1, 0), dqkv);
        assertValues(dqkv, 0.75 * LN3, -0.75, 0.25, 0, 0.75, 0.75);
    }

    @Test
    void linearAttentionOnPaper() {
        AttentionParams p = new AttentionParams(1, 2);
        Tensor qkv = of(Shape.of(1, 2, 6), 0, 0, 0, 0, 1, 2, LN3, 0, 0, LN3, 3, 4); // rows (q, k, v), d = 2
        Tensor y = room(1, 2, 2);
        Tensor context = room(1, 1, 2, 2);
        Tensor logSum = room(1, 2);
        backend.linearAttention(p, qkv, null, y, context, logSum);
        assertValues(context, 2, 3, 2.5, 3.5);
        assertValues(logSum, LN2, Math.log(4));
        assertValues(y, 4.5, 6.5, 4.25, 6.25);
    }

    @Test
    void aSecondHeadReadsItsOwnThirdOfEachPart() {
        Tensor qkv = of(Shape.of(1, 1, 6), 1, 2, 3, 4, 5, 6); // one position: y = v
        Tensor y = room(1, 1, 2);
        backend.attention(new AttentionParams(2, 1), qkv, y, room(1, 2, 1));
        assertValues(y, 5, 6);
        backend.linearAttention(new AttentionParams(2, 1), qkv, null, y, room(1, 2, 1, 1), room(1, 2));
        assertValues(y, 5, 6);
    }

    // ---- updates ----------------------------------------------------------------------------------------------

    @Test
    void theFirstAdamStepHasTheLengthOfTheLearningRate() {
        assertEquals(0.9, adam(0.5, 0, false), 1e-14);
        assertEquals(1.1, adam(-1e-9, 0, false), 1e-14);
        assertEquals(0.9 - 0.1 * 0.1, adam(0.5, 0.1, true), 1e-14); // α λ w beside the step
        assertEquals(1.1, adam(-0.5, 0.1, false), 1e-14); // g = −0.5 + 0.1
        assertEquals(0.9, adam(-0.5, 0.6, false), 1e-14); // g = −0.5 + 0.6
    }

    private double adam(double gradient, double decay, boolean decoupled) {
        Tensor w = row(1);
        AdamParams p = new AdamParams(0.1, 0.9, 0.999, 0, decay, decoupled, 1, 1);
        backend.adam(p, new Tensor[] {w}, new Tensor[] {row(gradient)}, new Tensor[] {row(0)}, new Tensor[] {row(0)});
        return w.item();
    }

    @Test
    void adamKeepsBothMomentsAndCorrectsTheirBias() {
        Tensor w = row(1);
        Tensor m = row(2);
        Tensor v = row(3);
        AdamParams p = new AdamParams(0.1, 0.9, 0.99, 0.5, 0, false, 3, 0.25);
        backend.adam(p, new Tensor[] {w}, new Tensor[] {row(4)}, new Tensor[] {m}, new Tensor[] {v}); // g = 1
        assertValues(m, 1.9);
        assertValues(v, 2.98);
        double mHat = 1.9 / (1 - 0.729);
        double vHat = 2.98 / (1 - 0.970299);
        assertValues(w, 1 - 0.1 * mHat / (Math.sqrt(vHat) + 0.5));
    }

    @Test
    void theAverageMovesByOneMinusDecay() {
        Tensor average = row(10, 0);
        backend.exponentialAverage(0.9, new Tensor[] {average}, new Tensor[] {row(20, 1)});
        assertValues(average, 11, 0.1);
    }

    @Test
    void sumOfSquaresIsNotFiniteWhenAnElementIsNot() {
        assertEquals(1 + 4 + 9, backend.sumOfSquares(new Tensor[] {row(1, 2), row(3)}));
        assertFalse(Double.isFinite(backend.sumOfSquares(new Tensor[] {row(1, Double.NaN)})));
        assertFalse(Double.isFinite(backend.sumOfSquares(new Tensor[] {row(Double.NEGATIVE_INFINITY)})));
        assertEquals(0, backend.sumOfSquares(new Tensor[0]));
    }
}
