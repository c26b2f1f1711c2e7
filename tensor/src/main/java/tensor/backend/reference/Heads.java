package tensor.backend.reference;

import tensor.Shape;
import tensor.backend.AttentionParams;

/**
 * Where things lie in qkv [N, L, 3·heads·d]: at every position the queries, then the keys, then the values, each the
 * heads side by side. y [N, L, heads·d] is laid out as one of the three.
 *
 * @param n images
 * @param length positions of the sequence, L
 * @param heads number of heads
 * @param d width of one head
 */
record Heads(int n, int length, int heads, int d) {
    static Heads of(AttentionParams p, Shape qkv) {
        return new Heads(qkv.get(0), qkv.get(1), p.heads(), p.headWidth(qkv));
    }

    /** First feature of the query of head {@code head} at position l of image i. */
    int q(int i, int head, int l) {
        return ((i * length + l) * 3 * heads + head) * d;
    }

    /** First feature of the key. */
    int k(int i, int head, int l) {
        return q(i, head, l) + heads * d;
    }

    /** First feature of the value. */
    int v(int i, int head, int l) {
        return q(i, head, l) + 2 * heads * d;
    }

    /** First feature of the result. */
    int y(int i, int head, int l) {
        return ((i * length + l) * heads + head) * d;
    }

    /** Σ_e a[e] · b[e] over the d features that start at these places. */
    double dot(double[] a, int at, double[] b, int bt) {
        double sum = 0;
        for (int e = 0; e < d; e++) sum += a[at + e] * b[bt + e];
        return sum;
    }

    /** y[e] += factor · x[e] over the d features that start at these places. */
    void add(double factor, double[] x, int xt, double[] y, int yt) {
        for (int e = 0; e < d; e++) y[yt + e] += factor * x[xt + e];
    }
}
