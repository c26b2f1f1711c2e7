package tensor.backend.reference;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.Random;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import tensor.DType;
import tensor.Shape;
import tensor.Tensor;
import tensor.backend.AttentionParams;
import tensor.backend.Backend;
import tensor.backend.Conv2dParams;
import tensor.backend.Mask;
import tensor.backend.NormInputs;
import tensor.backend.NormParams;
import tensor.memory.Scope;

/** Every backward call is the transposed derivative of its forward call: ⟨dy, J v⟩ = ⟨Jᵀ dy, v⟩, in double. */
class ReferenceGradientsTest {
    private static final double H = 1e-5;

    private final Backend backend = new ReferenceBackend();
    private final Random random = new Random(17);
    private Scope scope;

    @BeforeEach
    void open() {
        scope = Scope.open("test");
    }

    @AfterEach
    void close() {
        scope.close();
    }

    /** A forward call as a function of the tensor in question. */
    private interface Forward {
        Tensor at(Tensor x);
    }

    private Tensor normal(int... extents) {
        return normal(Shape.of(extents));
    }

    private Tensor normal(Shape shape) {
        return Tensor.of(
                backend,
                DType.F64,
                shape,
                random.doubles(shape.size(), -1.5, 1.5).toArray());
    }

    private static double dot(Tensor a, Tensor b) {
        return a.mul(b).sum().item();
    }

    /** dx is the pullback of dy at x, by central differences along a random direction v. */
    private void assertPullback(String of, Forward forward, Tensor x, Tensor dy, Tensor dx) {
        Tensor v = normal(x.shape());
        double byDifferences = dot(dy, forward.at(x.add(v.mul(H))).sub(forward.at(x.add(v.mul(-H))))) / (2 * H);
        assertEquals(byDifferences, dot(dx, v), 1e-8 * (1 + Math.abs(byDifferences)), of);
    }

    @ParameterizedTest
    @CsvSource({
        // N, H, W, C, K, R, S, stride, top, left, bottom, right, groups, enlarge
        "1, 5, 4, 3, 2, 3, 3, 1, 1, 1, 1, 1, 1, 1",
        "2, 7, 5, 2, 3, 3, 2, 2, 0, 1, 2, 0, 1, 1",
        "1, 6, 6, 4, 4, 7, 7, 1, 3, 3, 3, 3, 4, 1",
        "2, 5, 5, 6, 9, 2, 3, 3, 1, 0, 0, 2, 3, 1",
        "2, 5, 4, 3, 2, 3, 3, 1, 1, 1, 1, 1, 1, 2",
        "1, 4, 3, 4, 6, 2, 3, 3, 1, 0, 0, 2, 2, 2"
    })
    void convolution(
            int n,
            int h,
            int w,
            int c,
            int k,
            int r,
            int s,
            int stride,
            int top,
            int left,
            int bottom,
            int right,
            int groups,
            int enlarge) {
        Conv2dParams p = new Conv2dParams(stride, top, left, bottom, right, groups, enlarge);
        Tensor x = normal(n, h, w, c);
        Tensor filter = normal(k, r, s, c / groups);
        Tensor bias = normal(k);
        Tensor dy = normal(p.outputShape(x.shape(), filter.shape()));
        Tensor dx = x.emptyLike();
        backend.conv2dBackwardData(p, filter, dy, dx);
        assertPullback("x", t -> conv(p, t, filter, bias, dy), x, dy, dx);
        Tensor dw = filter.emptyLike();
        Tensor dbias = bias.emptyLike();
        backend.conv2dBackwardWeights(p, x, dy, dw, dbias);
        assertPullback("w", t -> conv(p, x, t, bias, dy), filter, dy, dw);
        assertPullback("bias", t -> conv(p, x, filter, t, dy), bias, dy, dbias);
    }

    private Tensor conv(Conv2dParams p, Tensor x, Tensor w, Tensor bias, Tensor dy) {
        Tensor y = dy.emptyLike();
        backend.conv2d(p, x, w, bias, null, y);
        return y;
    }

    @ParameterizedTest
    @CsvSource({
        "false, false, false, false",
        "true, false, false, true",
        "true, true, false, false",
        "true, true, true, true",
        "false, true, true, false"
    })
    void groupNorm(boolean affine, boolean conditioned, boolean silu, boolean moved) {
        Mask mask = moved ? new Mask(0.75, 5, 4) : null;
        NormParams p = new NormParams(3, 1e-3, silu);
        Tensor x = normal(2, 3, 2, 6);
        Tensor gamma = affine ? normal(6) : null;
        Tensor beta = affine ? normal(6) : null;
        Tensor scale = conditioned ? normal(2, 6) : null;
        Tensor shift = conditioned ? normal(2, 6) : null;
        Tensor mean = normal(2, 3);
        Tensor rstd = normal(2, 3);
        Tensor dy = normal(x.shape());
        Tensor offset = moved ? normal(2, 6) : null;
        norm(p, mask, x, offset, gamma, beta, scale, shift, mean, rstd);
        Tensor doffset = moved ? offset.emptyLike() : null;
        Tensor[] before = {normal(x.shape()), normal(x.shape())};
        Tensor dx = x.emptyLike();
        Tensor dgamma = affine ? gamma.emptyLike() : null;
        Tensor dbeta = affine ? beta.emptyLike() : null;
        Tensor dscale = conditioned ? scale.emptyLike() : null;
        Tensor dshift = conditioned ? shift.emptyLike() : null;
        backend.groupNormBackward(
                p,
                mask,
                new NormInputs(x, offset, gamma, beta, scale, shift),
                mean,
                rstd,
                dy,
                before,
                new NormInputs(dx, doffset, dgamma, dbeta, dscale, dshift));
        for (Tensor b : before) dx = dx.add(b.mul(-1));
        Tensor m = mean.emptyLike();
        Tensor r = rstd.emptyLike();
        assertPullback("x", t -> norm(p, mask, t, offset, gamma, beta, scale, shift, m, r), x, dy, dx);
        if (moved)
            assertPullback("offset", t -> norm(p, mask, x, t, gamma, beta, scale, shift, m, r), offset, dy, doffset);
        if (affine) {
            assertPullback("gamma", t -> norm(p, mask, x, offset, t, beta, scale, shift, m, r), gamma, dy, dgamma);
            assertPullback("beta", t -> norm(p, mask, x, offset, gamma, t, scale, shift, m, r), beta, dy, dbeta);
        }
        if (conditioned) {
            assertPullback("scale", t -> norm(p, mask, x, offset, gamma, beta, t, shift, m, r), scale, dy, dscale);
            assertPullback("shift", t -> norm(p, mask, x, offset, gamma, beta, scale, t, m, r), shift, dy, dshift);
        }
    }

    private Tensor norm(
            NormParams p,
            Mask mask,
            Tensor x,
            Tensor offset,
            Tensor gamma,
            Tensor beta,
            Tensor scale,
            Tensor shift,
            Tensor mean,
            Tensor rstd) {
        Tensor y = x.emptyLike();
        backend.groupNorm(p, mask, new NormInputs(x, offset, gamma, beta, scale, shift), y, mean, rstd);
        return y;
    }

    @ParameterizedTest
    @CsvSource({"0", "1", "2"})
    void softmax(int axis) {
        Tensor x = normal(3, 4, 5);
        Tensor dy = normal(x.shape());
        Forward forward = t -> {
            Tensor y = t.emptyLike();
            backend.softmax(axis, t, y);
            return y;
        };
        Tensor dx = x.emptyLike();
        backend.softmaxBackward(axis, forward.at(x), dy, dx);
        assertPullback("x", forward, x, dy, dx);
    }

    @Test
    void attention() {
        AttentionParams p = new AttentionParams(2, 0.7);
        Tensor qkv = normal(2, 5, 18);
        Tensor dy = normal(2, 5, 6);
        Tensor y = dy.emptyLike();
        Tensor logSum = normal(2, 2, 5);
        backend.attention(p, qkv, y, logSum);
        Tensor dqkv = qkv.emptyLike();
        backend.attentionBackward(p, qkv, y, logSum, dy, dqkv);
        Forward forward = t -> {
            Tensor value = dy.emptyLike();
            backend.attention(p, t, value, logSum.emptyLike());
            return value;
        };
        assertPullback("qkv", forward, qkv, dy, dqkv);
    }

    @Test
    void linearAttention() {
        AttentionParams p = new AttentionParams(2, 0.7);
        Tensor qkv = normal(2, 5, 18);
        Tensor dy = normal(2, 5, 6);
        Tensor context = normal(2, 2, 3, 3);
        Tensor logSum = normal(2, 6);
        backend.linearAttention(p, qkv, null, dy.emptyLike(), context, logSum);
        Tensor dqkv = qkv.emptyLike();
        backend.linearAttentionBackward(p, qkv, null, context, logSum, dy, dqkv, null);
        assertPullback("qkv", t -> linearAttention(p, t, null, dy), qkv, dy, dqkv);
    }

    @Test
    void linearAttentionOfAProjection() {
        AttentionParams p = new AttentionParams(2, 0.7);
        Tensor x = normal(2, 5, 4);
        Tensor w = normal(18, 4);
        Tensor dy = normal(2, 5, 6);
        Tensor context = normal(2, 2, 3, 3);
        Tensor logSum = normal(2, 6);
        backend.linearAttention(p, x, w, dy.emptyLike(), context, logSum);
        Tensor dx = x.emptyLike();
        Tensor dw = w.emptyLike();
        backend.linearAttentionBackward(p, x, w, context, logSum, dy, dx, dw);
        assertPullback("x", t -> linearAttention(p, t, w, dy), x, dy, dx);
        assertPullback("w", t -> linearAttention(p, x, t, dy), w, dy, dw);
    }

    /** The value for two heads of 3, in the shape of dy. */
    private Tensor linearAttention(AttentionParams p, Tensor x, Tensor w, Tensor dy) {
        Tensor value = dy.emptyLike();
        backend.linearAttention(p, x, w, value, normal(2, 2, 3, 3), normal(2, 6));
        return value;
    }

    @Test
    void scatterAddIsTheTransposeOfGather() {
        Tensor table = normal(4, 3);
        Tensor index = Tensor.of(backend, DType.F64, Shape.of(5), 3, 0, 3, 1, 3);
        Tensor dy = normal(5, 3);
        Tensor dtable = table.emptyLike();
        backend.scatterAdd(index, dy, dtable);
        Forward forward = t -> {
            Tensor y = dy.emptyLike();
            backend.gather(t, index, y);
            return y;
        };
        assertPullback("table", forward, table, dy, dtable);
    }
}
