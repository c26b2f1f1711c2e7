package tensor.backend.reference;

import java.util.Arrays;
import java.util.stream.IntStream;
import tensor.Shape;
import tensor.backend.AttentionParams;

/**
 * Linear attention (Shen et al. 2021), for one head of one image at a time. With l counting positions and e, f features:
 *
 * <pre>q̂_le = scale · exp(q_le) / Σ_e exp(q_le)      k̂_le = exp(k_le) / Σ_l exp(k_le)
 * context_ef = Σ_l k̂_le v_lf                    y_lf = Σ_e q̂_le context_ef</pre>
 *
 * The cost grows with L · d², not with L² · d: positions meet only in the context [d, d].
 */
final class LinearAttention {
    private LinearAttention() {}

    /** Writes y, context [N, heads, d, d] and logSum [N, heads·d], the logarithm of Σ_l exp(k_le). */
    static void forward(AttentionParams p, Shape shape, double[] qkv, double[] y, double[] context, double[] logSum) {
        Heads at = Heads.of(p, shape);
        int d = at.d();
        IntStream.range(0, at.n() * at.heads()).parallel().forEach(task -> {
            int n = task / at.heads();
            int head = task % at.heads();
            int square = task * d * d;
            Arrays.fill(context, square, square + d * d, 0);
            for (int e = 0; e < d; e++) {
                double max = Double.NEGATIVE_INFINITY;
                for (int l = 0; l < at.length(); l++) max = Math.max(max, qkv[at.k(n, head, l) + e]);
                double sum = 0;
                for (int l = 0; l < at.length(); l++) sum += Math.exp(qkv[at.k(n, head, l) + e] - max);
                logSum[task * d + e] = max + Math.log(sum);
                for (int l = 0; l < at.length(); l++) {
                    double key = Math.exp(qkv[at.k(n, head, l) + e] - max) / sum;
                    at.add(key, qkv, at.v(n, head, l), context, square + e * d);
                }
            }
            double[] query = new double[d];
            for (int l = 0; l < at.length(); l++) {
                softmax(qkv, at.q(n, head, l), query);
                int out = at.y(n, head, l);
                Arrays.fill(y, out, out + d, 0);
                for (int e = 0; e < d; e++) at.add(p.scale() * query[e], context, square + e * d, y, out);
            }
        });
    }

    /**
     * Writes dqkv. With s = softmax over the features of q, so that q̂ = scale · s:
     *
     * <pre>ds_le = scale · Σ_f dy_lf context_ef      dq_le = s_le (ds_le − Σ_e s_le ds_le)
     * dcontext_ef = Σ_l q̂_le dy_lf              dv_lf = Σ_e k̂_le dcontext_ef
     * dk̂_le = Σ_f dcontext_ef v_lf              dk_le = k̂_le (dk̂_le − Σ_l k̂_le dk̂_le)</pre>
     *
     * and the last sum is Σ_f dcontext_ef context_ef, for context = k̂ᵀ v.
     */
    static void backward(
            AttentionParams p,
            Shape shape,
            double[] qkv,
            double[] context,
            double[] logSum,
            double[] dy,
            double[] dqkv) {
        Heads at = Heads.of(p, shape);
        int d = at.d();
        Arrays.fill(dqkv, 0);
        IntStream.range(0, at.n() * at.heads()).parallel().forEach(task -> {
            int n = task / at.heads();
            int head = task % at.heads();
            int square = task * d * d;
            double[] dcontext = new double[d * d];
            double[] query = new double[d]; // s_l
            for (int l = 0; l < at.length(); l++) {
                int q = at.q(n, head, l);
                int out = at.y(n, head, l);
                softmax(qkv, q, query);
                double dot = 0;
                for (int e = 0; e < d; e++) {
                    dqkv[q + e] = p.scale() * at.dot(dy, out, context, square + e * d); // ds_le
                    dot += query[e] * dqkv[q + e];
                    at.add(p.scale() * query[e], dy, out, dcontext, e * d);
                }
                for (int e = 0; e < d; e++) dqkv[q + e] = query[e] * (dqkv[q + e] - dot);
            }
            for (int e = 0; e < d; e++) {
                double dot = at.dot(dcontext, e * d, context, square + e * d);
                for (int l = 0; l < at.length(); l++) {
                    int k = at.k(n, head, l);
                    int v = at.v(n, head, l);
                    double key = Math.exp(qkv[k + e] - logSum[task * d + e]);
                    dqkv[k + e] = key * (at.dot(dcontext, e * d, qkv, v) - dot);
                    at.add(key, dcontext, e * d, dqkv, v);
                }
            }
        });
    }

    /** y = softmax of the y.length numbers that start at {@code from}. */
    private static void softmax(double[] x, int from, double[] y) {
        double max = Double.NEGATIVE_INFINITY;
        for (int e = 0; e < y.length; e++) max = Math.max(max, x[from + e]);
        double sum = 0;
        for (int e = 0; e < y.length; e++) sum += y[e] = Math.exp(x[from + e] - max);
        for (int e = 0; e < y.length; e++) y[e] /= sum;
    }
}
