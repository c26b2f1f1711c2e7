package tensor.backend.reference;

import java.util.Arrays;
import java.util.stream.IntStream;
import tensor.Shape;
import tensor.backend.AttentionParams;

/**
 * Softmax attention (Vaswani et al. 2017, Eq. 1), for one head of one image at a time:
 *
 * <pre>S_ij = scale · q_i · k_j      P_ij = exp(S_ij) / Σ_j exp(S_ij)      y_i = Σ_j P_ij v_j</pre>
 *
 * Only logSum_i = log Σ_j exp(S_ij) is kept of P: P_ij = exp(S_ij − logSum_i) is made again in the backward pass.
 */
final class Attention {
    private Attention() {}

    /** Writes y and logSum [N, heads, L]. */
    static void forward(AttentionParams p, Shape shape, double[] qkv, double[] y, double[] logSum) {
        Heads at = Heads.of(p, shape);
        IntStream.range(0, at.n() * at.heads()).parallel().forEach(task -> {
            int n = task / at.heads();
            int head = task % at.heads();
            double[] row = new double[at.length()]; // S_i, then P_i
            for (int i = 0; i < at.length(); i++) {
                double max = Double.NEGATIVE_INFINITY;
                for (int j = 0; j < at.length(); j++) {
                    row[j] = p.scale() * at.dot(qkv, at.q(n, head, i), qkv, at.k(n, head, j));
                    max = Math.max(max, row[j]);
                }
                double sum = 0;
                for (int j = 0; j < at.length(); j++) sum += row[j] = Math.exp(row[j] - max);
                int out = at.y(n, head, i);
                Arrays.fill(y, out, out + at.d(), 0);
                for (int j = 0; j < at.length(); j++) at.add(row[j] / sum, qkv, at.v(n, head, j), y, out);
                logSum[task * at.length() + i] = max + Math.log(sum);
            }
        });
    }

    /**
     * Writes dqkv. With D_i = dy_i · y_i = Σ_j P_ij dP_ij, the sum that the softmax subtracts:
     *
     * <pre>dP_ij = dy_i · v_j      dS_ij = P_ij (dP_ij − D_i)
     * dq_i = scale · Σ_j dS_ij k_j      dk_j = scale · Σ_i dS_ij q_i      dv_j = Σ_i P_ij dy_i</pre>
     */
    static void backward(
            AttentionParams p, Shape shape, double[] qkv, double[] y, double[] logSum, double[] dy, double[] dqkv) {
        Heads at = Heads.of(p, shape);
        Arrays.fill(dqkv, 0);
        IntStream.range(0, at.n() * at.heads()).parallel().forEach(task -> {
            int n = task / at.heads();
            int head = task % at.heads();
            for (int i = 0; i < at.length(); i++) {
                int q = at.q(n, head, i);
                int out = at.y(n, head, i);
                double subtracted = at.dot(dy, out, y, out); // D_i
                for (int j = 0; j < at.length(); j++) {
                    int k = at.k(n, head, j);
                    int v = at.v(n, head, j);
                    double probability = Math.exp(p.scale() * at.dot(qkv, q, qkv, k) - logSum[task * at.length() + i]);
                    double ds = probability * (at.dot(dy, out, qkv, v) - subtracted);
                    at.add(p.scale() * ds, qkv, k, dqkv, q);
                    at.add(p.scale() * ds, qkv, q, dqkv, k);
                    at.add(probability, dy, out, dqkv, v);
                }
            }
        });
    }
}
