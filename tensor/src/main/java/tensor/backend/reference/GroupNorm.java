package tensor.backend.reference;

import java.util.Arrays;
import tensor.Shape;
import tensor.backend.BinaryOp;
import tensor.backend.NormParams;
import tensor.backend.UnaryOp;

/**
 * Group normalisation (Wu and He 2018) with its affine map, optional time conditioning and optional SiLU. x [N, …, C] is
 * read as [N, L, C]; the channels of image n are cut into groups, and each (image, group) is one population of
 * m = L · C/groups numbers, to which an offset for each image and channel may be added before:
 *
 * <pre>x = x + offset[n,c]
 * mean = Σ x / m      var = Σ (x − mean)² / m      rstd = 1 / √(var + eps)
 * x̂ = (x − mean) · rstd
 * h = x̂ · gamma[c] + beta[c]
 * z = h · (1 + scale[n,c]) + shift[n,c]
 * y = silu(z), or z</pre>
 */
final class GroupNorm {
    private final NormParams params;
    private final int images;
    private final int length;
    private final int channels;
    private final int width;
    private final double[] offset;
    private final double[] gamma;
    private final double[] beta;
    private final double[] scale;
    private final double[] shift;

    /** offset, gamma and beta, and likewise scale and shift, may be {@code null}. */
    GroupNorm(
            NormParams params,
            Shape x,
            double[] offset,
            double[] gamma,
            double[] beta,
            double[] scale,
            double[] shift) {
        this.params = params;
        this.images = x.get(0);
        this.channels = x.get(-1);
        this.length = x.size() / (images * channels);
        this.width = channels / params.groups();
        this.offset = offset;
        this.gamma = gamma;
        this.beta = beta;
        this.scale = scale;
        this.shift = shift;
    }

    /** Writes y, and the mean and rstd [N, groups] of every population. */
    void forward(double[] x, double[] y, double[] mean, double[] rstd) {
        for (int n = 0; n < images; n++)
            for (int g = 0; g < params.groups(); g++) {
                int population = n * params.groups() + g;
                double count = (double) length * width;
                double sum = 0;
                for (int l = 0; l < length; l++)
                    for (int c = g * width; c < (g + 1) * width; c++) sum += value(x, n, l, c);
                double mu = sum / count;
                double squares = 0;
                for (int l = 0; l < length; l++)
                    for (int c = g * width; c < (g + 1) * width; c++) squares += square(value(x, n, l, c) - mu);
                double r = 1 / Math.sqrt(squares / count + params.eps());
                for (int l = 0; l < length; l++)
                    for (int c = g * width; c < (g + 1) * width; c++) {
                        int i = at(n, l, c);
                        double z = conditioned(n, c, affine(c, (value(x, n, l, c) - mu) * r));
                        y[i] = params.silu() ? UnaryOp.SILU.apply(z) : z;
                    }
                mean[population] = mu;
                rstd[population] = r;
            }
    }

    /**
     * The chain rule, read from the last line of the formula to the first:
     *
     * <pre>dz = dy · silu′(z)
     * dscale[n,c] = Σ_l dz · h              dshift[n,c] = Σ_l dz            dh = dz · (1 + scale)
     * dgamma[c] = Σ_{n,l} dh · x̂            dbeta[c] = Σ_{n,l} dh           dx̂ = dh · gamma
     * dx = rstd · (dx̂ − Σ dx̂ / m − x̂ · Σ dx̂·x̂ / m)      doffset[n,c] = Σ_l dx</pre>
     *
     * The two means in the last line are over the population: they are what flows back through mean and rstd. Any of
     * the five other gradients may be {@code null}.
     */
    void backward(
            double[] x,
            double[] mean,
            double[] rstd,
            double[] dy,
            double[] dx,
            double[] doffset,
            double[] dgamma,
            double[] dbeta,
            double[] dscale,
            double[] dshift) {
        for (double[] sum : new double[][] {doffset, dgamma, dbeta, dscale, dshift})
            if (sum != null) Arrays.fill(sum, 0);
        for (int n = 0; n < images; n++)
            for (int g = 0; g < params.groups(); g++) {
                double mu = mean[n * params.groups() + g];
                double r = rstd[n * params.groups() + g];
                double count = (double) length * width;
                double sum = 0; // of dx̂
                double dot = 0; // of dx̂ · x̂
                for (int l = 0; l < length; l++)
                    for (int c = g * width; c < (g + 1) * width; c++) {
                        int i = at(n, l, c);
                        double xHat = (value(x, n, l, c) - mu) * r;
                        double h = affine(c, xHat);
                        double z = conditioned(n, c, h);
                        double dz = params.silu() ? BinaryOp.SILU_GRAD.apply(z, dy[i]) : dy[i];
                        double dh = scale == null ? dz : dz * (1 + scale[n * channels + c]);
                        double dxHat = gamma == null ? dh : dh * gamma[c];
                        if (dscale != null) {
                            dscale[n * channels + c] += dz * h;
                            dshift[n * channels + c] += dz;
                        }
                        if (dgamma != null) {
                            dgamma[c] += dh * xHat;
                            dbeta[c] += dh;
                        }
                        sum += dxHat;
                        dot += dxHat * xHat;
                        dx[i] = dxHat;
                    }
                for (int l = 0; l < length; l++)
                    for (int c = g * width; c < (g + 1) * width; c++) {
                        int i = at(n, l, c);
                        dx[i] = r * (dx[i] - sum / count - (value(x, n, l, c) - mu) * r * dot / count);
                        if (doffset != null) doffset[n * channels + c] += dx[i];
                    }
            }
    }

    private int at(int n, int l, int c) {
        return (n * length + l) * channels + c;
    }

    private double value(double[] x, int n, int l, int c) {
        double value = x[at(n, l, c)];
        return offset == null ? value : value + offset[n * channels + c];
    }

    /** h = x̂ · gamma + beta. */
    private double affine(int c, double xHat) {
        return gamma == null ? xHat : xHat * gamma[c] + beta[c];
    }

    /** z = h · (1 + scale) + shift. */
    private double conditioned(int n, int c, double h) {
        return scale == null ? h : h * (1 + scale[n * channels + c]) + shift[n * channels + c];
    }

    private static double square(double x) {
        return x * x;
    }
}
