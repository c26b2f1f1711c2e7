package ddpm.unet;

import static autograd.ops.Add.add;
import static autograd.ops.Attention.attention;
import static autograd.ops.Cast.like;
import static autograd.ops.Concat.concat;
import static autograd.ops.LinearAttention.linearAttention;
import static autograd.ops.Permute.permute;
import static autograd.ops.Reshape.reshape;
import static autograd.ops.Slice.slice;

import autograd.Variable;
import nn.Conv2d;
import nn.Init;
import nn.Layer;
import nn.Parameter;
import nn.RmsNorm;
import tensor.Shape;
import tensor.Tensor;
import tensor.backend.Conv2dParams;
import tensor.backend.Distribution;

/**
 * Attention whose positions also look at {@value #MEMORIES} learned pairs of key and value: {@code y = x + out(attention(
 * [memory, qkv(norm x)]))}. The memory stands in front of the sequence as positions of its own, whose answers nobody
 * reads, so the attention itself is that of every other network.
 *
 * <p>Linear attention costs H·W·d² instead of (H·W)²·d; its output is normalised once more.
 *
 * <p>Names: {@code norm, mem_kv, to_qkv, to_out[.0, .1]}; {@code mem_kv} is [2, heads, d, m] in linear and [2, heads, m,
 * d] in softmax attention. x [N,H,W,C] → same shape.
 */
final class MemoryAttention extends Layer {
    static final int MEMORIES = 4;

    private final boolean linear;
    private final int heads;
    private final int headWidth;
    private final RmsNorm norm;
    private final Parameter memory;
    private final Conv2d qkv;
    private final Conv2d out;
    private final RmsNorm outNorm;

    MemoryAttention(Init init, Init last, int channels, int heads, int headWidth, boolean linear) {
        this.linear = linear;
        this.heads = heads;
        this.headWidth = headWidth;
        int hidden = heads * headWidth;
        norm = child("norm", new RmsNorm(init, channels));
        Shape shape = linear ? Shape.of(2, heads, headWidth, MEMORIES) : Shape.of(2, heads, MEMORIES, headWidth);
        memory = parameter(
                "mem_kv",
                init.rule() == Init.Rule.ZERO
                        ? init.constant(shape, 0)
                        : init.rng().draw(Distribution.NORMAL, init.backend(), init.dtype(), shape),
                Parameter.Layout.PLAIN);
        qkv = child("to_qkv", new Conv2d(init, channels, 3 * hidden, 1, Conv2dParams.of(1, 0), false));
        out = child(linear ? "to_out.0" : "to_out", new Conv2d(linear ? init : last, hidden, channels, 1, 1, 0));
        outNorm = linear ? child("to_out.1", new RmsNorm(last, channels)) : null;
    }

    Variable forward(Variable x) {
        return local("attention", () -> {
            Shape s = x.shape();
            int n = s.get(0);
            int positions = s.get(1) * s.get(2);
            int hidden = heads * headWidth;
            Variable tokens = reshape(qkv.forward(norm.forward(x)), n, positions, 3 * hidden);
            Variable all = concat(1, like(remembered(n, hidden), tokens), tokens); // [N, m + H·W, 3·hidden]
            double scale = 1 / Math.sqrt(headWidth);
            Variable mixed = linear ? linearAttention(all, heads, scale) : attention(all, heads, scale);
            Variable own = slice(mixed, 1, MEMORIES, positions);
            Variable y = out.forward(reshape(own, s.get(0), s.get(1), s.get(2), hidden));
            return add(outNorm == null ? y : outNorm.forward(y), x);
        });
    }

    /** Query (nothing), key and value of the memory for every image: [N, m, 3·hidden]. */
    private Variable remembered(int n, int hidden) {
        Variable pairs = linear
                ? permute(memory.variable(), 3, 0, 1, 2) // m, k or v, head, d
                : permute(memory.variable(), 2, 0, 1, 3);
        Variable rows = reshape(pairs, 1, MEMORIES, 2 * hidden);
        Tensor like = memory.value();
        Variable query = Variable.constant(Tensor.full(like.backend(), like.dtype(), Shape.of(1, MEMORIES, hidden), 0));
        Variable nothing =
                Variable.constant(Tensor.full(like.backend(), like.dtype(), Shape.of(n, MEMORIES, 3 * hidden), 0));
        return add(nothing, concat(2, query, rows));
    }
}
