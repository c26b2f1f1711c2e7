package autograd.ops;

import autograd.Op;
import autograd.Pullback;
import autograd.Tape;
import autograd.Variable;
import tensor.Shape;
import tensor.Tensor;
import tensor.backend.AttentionParams;

/**
 * Softmax attention (Vaswani et al. 2017, Eq. 1), each head by itself, over the positions of a sequence.
 *
 * <pre>y_i = Σ_j P_ij v_j      P_i = softmax_j(scale · q_i·k_j)
 *   dv_j = Σ_i P_ij dy_i      dS_ij = P_ij (dy_i·v_j − dy_i·y_i)
 *   dq_i = scale Σ_j dS_ij k_j      dk_j = scale Σ_i dS_ij q_i</pre>
 *
 * Shapes: qkv [N, L, 3·heads·d], queries, keys, values side by side → y [N, L, heads·d]. Keeps: qkv, y and one
 * log-sum a row; P is computed anew, or kept by a backend that finds that cheaper.
 */
public record Attention(AttentionParams params) implements Op {
    public static Variable attention(Variable qkv, int heads, double scale) {
        return Tape.record(new Attention(new AttentionParams(heads, scale)), qkv);
    }

    @Override
    public Result apply(Tensor... in) {
        Tensor qkv = in[0];
        Shape s = qkv.shape();
        int width = params.headWidth(s);
        Tensor y = qkv.empty(Shape.of(s.get(0), s.get(1), params.heads() * width));
        Tensor logSum = qkv.emptyExact(Shape.of(s.get(0), params.heads(), s.get(1)));
        qkv.backend().attention(params, qkv, y, logSum);
        return new Result(y, Pullback.perInput(dy -> {
            Tensor dqkv = qkv.emptyLike();
            qkv.backend().attentionBackward(params, qkv, y, logSum, dy, dqkv);
            return dqkv;
        }));
    }
}
