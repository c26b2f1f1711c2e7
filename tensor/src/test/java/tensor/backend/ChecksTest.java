package tensor.backend;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.function.Executable;
import tensor.DType;
import tensor.Shape;
import tensor.Tensor;
import tensor.backend.reference.ReferenceBackend;
import tensor.memory.Scope;

/** A wrong argument is one sentence that names the call, the tensor and both shapes. */
class ChecksTest {
    private final Backend backend = new ReferenceBackend();
    private Scope scope;

    @BeforeEach
    void open() {
        scope = Scope.open("test");
    }

    @AfterEach
    void close() {
        scope.close();
    }

    private Tensor t(int... extents) {
        return Tensor.full(backend, DType.F32, Shape.of(extents), 0);
    }

    private static void refused(String sentence, Executable call) {
        assertEquals(
                sentence, assertThrows(IllegalArgumentException.class, call).getMessage());
    }

    @Test
    void everyTensorMustBeThereLiveHereAndOfOneType() {
        Tensor x = t(2);
        refused("EXP: a tensor is null", () -> backend.unary(UnaryOp.EXP, null, x));
        refused("EXP: y is null", () -> backend.unary(UnaryOp.EXP, x, null));
        Tensor wide = Tensor.full(backend, DType.F64, Shape.of(2), 0);
        refused("ADD: b is F64 where the other tensors are F32", () -> backend.binary(BinaryOp.ADD, x, wide, x));
        Tensor elsewhere = Tensor.full(new ReferenceBackend(), DType.F32, Shape.of(2), 0);
        refused(
                "EXP: y lives on backend reference, the call runs on reference; one backend must hold both",
                () -> backend.unary(UnaryOp.EXP, x, elsewhere));
        Tensor gone;
        try (Scope inner = Scope.open("inner")) {
            gone = t(2);
        }
        String message = assertThrows(IllegalStateException.class, () -> backend.unary(UnaryOp.EXP, gone, x))
                .getMessage();
        assertTrue(message.contains("was released"), message);
    }

    @Test
    void onlyPointwiseCallsMayShareMemory() {
        Tensor x = t(2, 3);
        backend.unary(UnaryOp.EXP, x, x);
        backend.binary(BinaryOp.ADD, x, t(3), x);
        refused(
                "softmax: y [2, 3] shares its memory with an input or another output of shape [2, 3]; only pointwise"
                        + " calls may",
                () -> backend.softmax(1, x, x));
        refused(
                "copy: to [6] shares its memory with an input or another output of shape [2, 3]; only pointwise calls"
                        + " may",
                () -> backend.copy(Region.of(x, Shape.of(6)), Region.of(x.reshape(6))));
    }

    @Test
    void shapesAreNamedOnBothSides() {
        refused("EXP: y has shape [3], needs the shape of x = [2]", () -> backend.unary(UnaryOp.EXP, t(2), t(3)));
        refused(
                "ADD: cannot broadcast a [2, 3] and b [2] to y [2, 3]",
                () -> backend.binary(BinaryOp.ADD, t(2, 3), t(2), t(2, 3)));
        refused(
                "reduce SUM: y has shape [2], needs that of x [2, 3] with extent 1 on the axes that vanish",
                () -> backend.reduce(ReduceOp.SUM, t(2, 3), t(2)));
        refused("upload: the array has 3 values, the tensor [2] has 2", () -> backend.upload(new float[3], t(2)));
        refused("copy: from is a box of [2], to one of [3]", () -> backend.copy(Region.of(t(2)), Region.of(t(3))));
        refused(
                "copy: axis 0 of to is a repetition; only from may repeat",
                () -> backend.copy(Region.of(t(3)), Region.of(t(1)).repeat(0, 3)));
        refused(
                "random: the stream position 3 is not a multiple of 4, at least 0",
                () -> backend.random(Distribution.UNIFORM, 1, 3, t(2)));
        refused(
                "a mask at the stream position 3, which is not a multiple of 4, at least 0",
                () -> backend.dropout(new Mask(0.5, 1, 3), t(2), t(2)));
    }

    @Test
    void tablesTakeWholeNumbersInRange() {
        Tensor table = t(3, 2);
        refused("gather: y has shape [2, 3], needs [N, …] = [2, 2]", () -> backend.gather(table, t(2), t(2, 3)));
        for (float bad : new float[] {-1, 3, 0.5f, Float.NaN})
            refused(
                    "gather: index[0] = " + (double) bad + ", needs a whole number in 0..2, for the table has 3 rows",
                    () -> backend.gather(table, Tensor.of(backend, Shape.of(1), bad), t(1, 2)));
    }

    @Test
    void matricesMustMeet() {
        refused(
                "matmul: a [2, 3] and b [2, 3] have different inner extents 3 and 2",
                () -> backend.matmul(false, false, t(2, 3), t(2, 3), null, t(2, 3)));
        refused(
                "matmul: a [5, 2, 3] and b [4, 3, 2] have different batches",
                () -> backend.matmul(false, false, t(5, 2, 3), t(4, 3, 2), null, t(5, 2, 2)));
        refused(
                "matmul: y has shape [2, 2], needs [.., M, N] = [5, 2, 2]",
                () -> backend.matmul(false, false, t(2, 3), t(5, 3, 2), null, t(2, 2)));
        refused(
                "matmul: bias has shape [3], needs [N] = [2]",
                () -> backend.matmul(false, false, t(2, 3), t(3, 2), t(3), t(2, 2)));
        refused(
                "matmul: factors a [3] and b [3, 2] need at least two axes each",
                () -> backend.matmul(false, false, t(3), t(3, 2), null, t(2)));
    }

    @Test
    void imagesAndFiltersMustMeet() {
        Conv2dParams p = Conv2dParams.of(1, 0);
        refused(
                "conv2d: y has shape [1, 3, 3, 2], needs [N,P,Q,K] = [1, 2, 2, 2]",
                () -> backend.conv2d(p, t(1, 3, 3, 4), t(2, 2, 2, 4), null, null, t(1, 3, 3, 2)));
        refused(
                "expected shape [*, *, *, 4], found [1, 3, 3, 5]",
                () -> backend.conv2d(p, t(1, 3, 3, 5), t(2, 2, 2, 4), null, null, t(1, 2, 2, 2)));
        refused(
                "image [1, 3, 3, 4] with its padding is smaller than the filter [2, 4, 4, 4]",
                () -> backend.conv2d(p, t(1, 3, 3, 4), t(2, 4, 4, 4), null, null, t(1, 1, 1, 2)));
        refused(
                "3 filters cannot be cut into 2 groups",
                () -> backend.conv2d(
                        new Conv2dParams(1, 0, 0, 0, 0, 2), t(1, 3, 3, 4), t(3, 1, 1, 2), null, null, t(1, 3, 3, 3)));
        refused(
                "conv2d: y has shape [1, 2, 2, 2], needs [N,P,Q,K] = [1, 5, 5, 2]",
                () -> backend.conv2d(p.enlarging(2), t(1, 3, 3, 4), t(2, 2, 2, 4), null, null, t(1, 2, 2, 2)));
        refused("bad convolution: stride 1, groups 1, padding 0 0 0 0, enlarge 3", () -> p.enlarging(3));
        refused(
                "conv2dBackwardWeights: dbias has shape [3], needs [K] = [2]",
                () -> backend.conv2dBackwardWeights(p, t(1, 3, 3, 4), t(1, 2, 2, 2), t(2, 2, 2, 4), t(3)));
    }

    @Test
    void normalisationParametersComeInPairs() {
        Tensor x = t(1, 2, 2, 6);
        NormParams p = new NormParams(2, 1e-5, false);
        refused(
                "groupNorm: gamma and beta must both be given or both be null",
                () -> backend.groupNorm(
                        p, null, new NormInputs(x, null, t(6), null, null, null), x.emptyLike(), t(1, 2), t(1, 2)));
        refused(
                "groupNorm: scale has shape [6], needs [N,C] = [1, 6]",
                () -> backend.groupNorm(
                        p, null, new NormInputs(x, null, null, null, t(6), t(6)), x.emptyLike(), t(1, 2), t(1, 2)));
        refused(
                "groupNorm: the 6 channels of x [1, 2, 2, 6] cannot be cut into 4 groups",
                () -> backend.groupNorm(
                        new NormParams(4, 1e-5, false), null, NormInputs.of(x), x.emptyLike(), t(1, 4), t(1, 4)));
        refused(
                "groupNormBackward: gamma and dgamma must both be given or both be null",
                () -> backend.groupNormBackward(
                        p,
                        null,
                        new NormInputs(x, null, t(6), t(6), null, null),
                        t(1, 2),
                        t(1, 2),
                        x.emptyLike().set_(x),
                        new Tensor[0],
                        NormInputs.of(x.emptyLike())));
    }

    @Test
    void headsMustFitAndAxesExist() {
        refused(
                "[1, 2, 7] does not hold queries, keys and values of 2 heads",
                () -> backend.attention(new AttentionParams(2, 1), t(1, 2, 7), t(1, 2, 2), t(1, 2, 2)));
        refused(
                "linearAttention: context has shape [1, 2, 1, 2], needs [N, heads, d, d] = [1, 2, 1, 1]",
                () -> backend.linearAttention(
                        new AttentionParams(2, 1), t(1, 2, 6), null, t(1, 2, 2), t(1, 2, 1, 2), t(1, 2)));
        refused(
                "linearAttention: w has shape [6, 4], needs [3·heads·d, C]",
                () -> backend.linearAttention(
                        new AttentionParams(2, 1), t(1, 2, 5), t(6, 4), t(1, 2, 2), t(1, 2, 1, 1), t(1, 2)));
        refused("softmax: axis 2 of x [2, 3], needs 0..1", () -> backend.softmax(2, t(2, 3), t(2, 3)));
    }

    @Test
    void everyParameterNeedsItsGradientAndMoments() {
        AdamParams p = new AdamParams(1e-3, 0.9, 0.999, 1e-8, 0, false, 1, 1);
        Tensor[] one = {t(2)};
        refused(
                "adam: 1 parameters, 0 gradients, 1 and 1 moments; needs one of each for every parameter",
                () -> backend.adam(p, one, new Tensor[0], one, one));
        refused(
                "adam: dw[0] has shape [3], needs the shape of w = [2]",
                () -> backend.adam(p, one, new Tensor[] {t(3)}, new Tensor[] {t(2)}, new Tensor[] {t(2)}));
        Tensor[] halves = {Tensor.full(backend, DType.BF16, Shape.of(2), 1)};
        backend.adam(p, one, halves, new Tensor[] {t(2)}, new Tensor[] {t(2)});
        refused(
                "adam: the tensors are BF16, needs F32",
                () -> backend.adam(p, halves, one, new Tensor[] {t(2)}, new Tensor[] {t(2)}));
        assertThrows(IllegalArgumentException.class, () -> new AdamParams(1e-3, 0.9, 0.999, 1e-8, 0, false, 0, 1));
        refused(
                "exponentialAverage: decay 1.5, 1 averages of 1 tensors; needs a decay in 0..1 and one average for"
                        + " each tensor",
                () -> backend.exponentialAverage(1.5, one, one));
    }
}
