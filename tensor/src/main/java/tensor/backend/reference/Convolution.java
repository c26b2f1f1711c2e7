package tensor.backend.reference;

import java.util.Arrays;
import java.util.stream.IntStream;
import tensor.Shape;
import tensor.backend.Conv2dParams;

/**
 * 2-D convolution and its two gradients. Every loop below walks the same set of terms: output place (n, p, q, k), filter
 * place (r, s, c) and the image place it touches,
 *
 * <pre>h = p·stride + r − top      w = q·stride + s − left      0 ≤ h &lt; H,  0 ≤ w &lt; W</pre>
 *
 * only the sum runs over different letters. H and W are those of the image that the filters see; its place (h, w) is pixel
 * (h / enlarge, w / enlarge) of x. Filter k sees the channels of its own group, C/groups of them. Each output element is
 * summed by one thread in a fixed order.
 */
final class Convolution {
    private final int enlarge;
    private final int stride;
    private final int top;
    private final int left;
    private final int N;
    private final int H;
    private final int W;
    private final int C;
    private final int K;
    private final int R;
    private final int S;
    private final int P;
    private final int Q;
    /** Channels and filters of one group. */
    private final int cGroup;

    private final int kGroup;

    /** x [N,H/enlarge,W/enlarge,C], w [K,R,S,C/groups], y [N,P,Q,K]. */
    Convolution(Conv2dParams p, Shape x, Shape w, Shape y) {
        enlarge = p.enlarge();
        stride = p.stride();
        top = p.top();
        left = p.left();
        N = x.get(0);
        H = enlarge * x.get(1);
        W = enlarge * x.get(2);
        C = x.get(3);
        K = w.get(0);
        R = w.get(1);
        S = w.get(2);
        P = y.get(1);
        Q = y.get(2);
        cGroup = C / p.groups();
        kGroup = K / p.groups();
    }

    /** y[n,p,q,k] = bias[k] + Σ_{r,s,c} w[k,r,s,c] · x[n,h,w,c]. */
    void forward(double[] x, double[] w, double[] bias, double[] y) {
        double[] filters = filtersLast(w);
        IntStream.range(0, N * P).parallel().forEach(task -> {
            int n = task / P;
            int p = task % P;
            for (int q = 0; q < Q; q++) {
                int out = (task * Q + q) * K;
                if (bias == null) Arrays.fill(y, out, out + K, 0);
                else System.arraycopy(bias, 0, y, out, K);
                for (int r = low(top, p); r < high(R, H, top, p); r++)
                    for (int s = low(left, q); s < high(S, W, left, q); s++) {
                        int pixel = pixel(n, p * stride + r - top, q * stride + s - left);
                        for (int c = 0; c < C; c++) {
                            double value = x[pixel + c];
                            int k0 = c / cGroup * kGroup; // the filters that see channel c
                            int from = ((r * S + s) * cGroup + c % cGroup) * K + k0;
                            for (int k = 0; k < kGroup; k++) y[out + k0 + k] += value * filters[from + k];
                        }
                    }
            }
        });
    }

    /** dx[n,h,w,c] = Σ_{r,s,k} w[k,r,s,c] · dy[n,p,q,k], over the p, q with p·stride = h + top − r and likewise q. */
    void backwardData(double[] w, double[] dy, double[] dx) {
        int rows = H / enlarge;
        int row = W / enlarge * C;
        IntStream.range(0, N * rows).parallel().forEach(task -> {
            int first = task % rows * enlarge;
            Arrays.fill(dx, task * row, (task + 1) * row, 0);
            for (int h = first; h < first + enlarge; h++) backwardData(task / rows, h, w, dy, dx);
        });
    }

    /** Adds what the places of row h have. */
    private void backwardData(int n, int h, double[] w, double[] dy, double[] dx) {
        for (int column = 0; column < W; column++) {
            int pixel = pixel(n, h, column);
            for (int r = 0; r < R; r++) {
                int p = source(h + top - r, P);
                for (int s = 0; p >= 0 && s < S; s++) {
                    int q = source(column + left - s, Q);
                    if (q < 0) continue;
                    for (int k = 0; k < K; k++) {
                        double value = dy[((n * P + p) * Q + q) * K + k];
                        int to = pixel + k / kGroup * cGroup;
                        int from = ((k * R + r) * S + s) * cGroup;
                        for (int c = 0; c < cGroup; c++) dx[to + c] += value * w[from + c];
                    }
                }
            }
        }
    }

    /** dw[k,r,s,c] = Σ_{n,p,q} dy[n,p,q,k] · x[n,h,w,c]. */
    void backwardWeights(double[] x, double[] dy, double[] dw) {
        IntStream.range(0, K).parallel().forEach(k -> {
            Arrays.fill(dw, k * R * S * cGroup, (k + 1) * R * S * cGroup, 0);
            int c0 = k / kGroup * cGroup; // the first channel that filter k sees
            for (int n = 0; n < N; n++)
                for (int p = 0; p < P; p++)
                    for (int q = 0; q < Q; q++) {
                        double value = dy[((n * P + p) * Q + q) * K + k];
                        for (int r = low(top, p); r < high(R, H, top, p); r++)
                            for (int s = low(left, q); s < high(S, W, left, q); s++) {
                                int from = pixel(n, p * stride + r - top, q * stride + s - left) + c0;
                                int to = ((k * R + r) * S + s) * cGroup;
                                for (int c = 0; c < cGroup; c++) dw[to + c] += value * x[from + c];
                            }
                    }
        });
    }

    /** dbias[k] = Σ_{n,p,q} dy[n,p,q,k]. */
    void backwardBias(double[] dy, double[] dbias) {
        Arrays.fill(dbias, 0);
        for (int pixel = 0; pixel < dy.length; pixel += K) for (int k = 0; k < K; k++) dbias[k] += dy[pixel + k];
    }

    /** Where in x the channels of image place (n, h, w) begin. */
    private int pixel(int n, int h, int w) {
        return ((n * (H / enlarge) + h / enlarge) * (W / enlarge) + w / enlarge) * C;
    }

    /** The first filter row that output row p places inside the image. */
    private int low(int pad, int p) {
        return Math.max(0, pad - p * stride);
    }

    /** One more than the last filter row that output row p places inside an image of {@code extent} rows. */
    private int high(int filter, int extent, int pad, int p) {
        return Math.min(filter, extent + pad - p * stride);
    }

    /** p with p·stride = place and 0 ≤ p &lt; extent, or −1 when there is none. */
    private int source(int place, int extent) {
        return place >= 0 && place % stride == 0 && place / stride < extent ? place / stride : -1;
    }

    /** [K,R,S,C/groups] → [R,S,C/groups,K], so that the innermost loop runs over adjacent filters. */
    private double[] filtersLast(double[] w) {
        int terms = R * S * cGroup;
        double[] turned = new double[w.length];
        for (int k = 0; k < K; k++) for (int i = 0; i < terms; i++) turned[i * K + k] = w[k * terms + i];
        return turned;
    }
}
