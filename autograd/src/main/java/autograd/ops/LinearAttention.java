package autograd.ops;

import autograd.Op;
import autograd.Tape;
import autograd.Variable;
import tensor.Shape;
import tensor.Tensor;
import tensor.backend.AttentionParams;
import tensor.backend.Projection;

/**
 * Linear attention (Shen et al. 2021), each head by itself: the keys are summed up first, so the cost grows with the
 * length of the sequence and not with its square.
 *
 * <pre>q̂ = scale · softmax over the d features of q      k̂ = softmax over the L positions of k
 * context = k̂ᵀ v  [d, d]                            y = q̂ · context
 *   dq̂ = dy · contextᵀ      dcontext = q̂ᵀ dy      dv = k̂ · dcontext      dk̂ = v · dcontextᵀ</pre>
 *
 * Shapes: qkv [N, L, 3·heads·d] → y [N, L, heads·d]. Keeps: qkv, context, and one log-sum for each feature of k.
 *
 * <p>With a projection, qkv = x wᵀ is made within, backward once more, and not kept: it is the largest activation of the
 * networks that have this op, 14 times as large as x. Shapes: x [N, L, C], w [3·heads·d, C].
 * <pre>  dx = dqkv w      dw = dqkvᵀ x</pre>
 */
public record LinearAttention(AttentionParams params) implements Op {
    public static Variable linearAttention(Variable qkv, int heads, double scale) {
        return Tape.record(new LinearAttention(new AttentionParams(heads, scale)), qkv);
    }

    /** Of the projection of x by w. */
    public static Variable linearAttention(Variable x, Variable w, int heads, double scale) {
        return Tape.record(new LinearAttention(new AttentionParams(heads, scale)), x, w);
    }

    @Override
    public Result apply(Tensor... in) {
        Tensor x = in[0];
        Tensor w = in.length > 1 ? in[1] : null;
        int n = x.shape().get(0);
        int width = params.headWidth(Projection.shape(x, w));
        int hidden = params.heads() * width;
        Tensor y = x.empty(Shape.of(n, x.shape().get(1), hidden));
        Tensor context = x.empty(Shape.of(n, params.heads(), width, width));
        Tensor logSum = x.emptyExact(Shape.of(n, hidden));
        x.backend().linearAttention(params, x, w, y, context, logSum);
        return new Result(y, (dy, needed) -> {
            Tensor dx = x.emptyLike();
            Tensor dw = w == null ? null : w.emptyLike();
            x.backend().linearAttentionBackward(params, x, w, context, logSum, dy, dx, dw);
            return w == null ? new Tensor[] {dx} : new Tensor[] {dx, dw};
        });
    }
}
