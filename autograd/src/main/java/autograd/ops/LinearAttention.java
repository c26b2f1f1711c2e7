package autograd.ops;

import autograd.Op;
import autograd.Pullback;
import autograd.Tape;
import autograd.Variable;
import tensor.Shape;
import tensor.Tensor;
import tensor.backend.AttentionParams;

/**
 * Linear attention (Shen et al. 2021), each head by itself: the keys are summed up first, so the cost grows with the
 * length of the sequence and not with its square.
 *
 * <pre>q̂ = scale · softmax over the d features of q      k̂ = softmax over the L positions of k
 * context = k̂ᵀ v  [d, d]                            y = q̂ · context
 *   dq̂ = dy · contextᵀ      dcontext = q̂ᵀ dy      dv = k̂ · dcontext      dk̂ = v · dcontextᵀ</pre>
 *
 * Shapes: qkv [N, L, 3·heads·d] → y [N, L, heads·d]. Keeps: qkv, context, and one log-sum for each feature of k.
 */
public record LinearAttention(AttentionParams params) implements Op {
    public static Variable linearAttention(Variable qkv, int heads, double scale) {
        return Tape.record(new LinearAttention(new AttentionParams(heads, scale)), qkv);
    }

    @Override
    public Result apply(Tensor... in) {
        Tensor qkv = in[0];
        int n = qkv.shape().get(0);
        int width = params.headWidth(qkv.shape());
        int hidden = params.heads() * width;
        Tensor y = qkv.empty(Shape.of(n, qkv.shape().get(1), hidden));
        Tensor context = qkv.empty(Shape.of(n, params.heads(), width, width));
        Tensor logSum = qkv.emptyExact(Shape.of(n, hidden));
        qkv.backend().linearAttention(params, qkv, y, context, logSum);
        return new Result(y, Pullback.perInput(dy -> {
            Tensor dqkv = qkv.emptyLike();
            qkv.backend().linearAttentionBackward(params, qkv, context, logSum, dy, dqkv);
            return dqkv;
        }));
    }
}
