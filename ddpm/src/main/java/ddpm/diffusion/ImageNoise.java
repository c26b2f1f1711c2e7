package ddpm.diffusion;

import tensor.DType;
import tensor.Shape;
import tensor.Tensor;
import tensor.backend.Backend;
import tensor.backend.Distribution;
import tensor.backend.Region;

/**
 * Noise that belongs to an image, not to a batch: draw d of image k is a function of (seed, k, d) alone. Image 5 is the
 * same whether it is drawn by itself or among 64, on any backend.
 *
 * <pre>stream(seed):   position d · 2⁴⁰ + k · m + e      e = 0 … m−1, m = values of an image, rounded up to a multiple of 4</pre>
 *
 * Draw 0 is x_T; the samplers take one more for every step that adds noise.
 */
public final class ImageNoise implements Noise {
    private static final long DRAW = 1L << 40;

    private final long seed;
    private final long first;
    private long draws;

    /**
     * The noise of some images.
     *
     * @param first index of the first image of the batch; the others follow
     */
    public ImageNoise(long seed, long first) {
        if (first < 0) throw new IllegalArgumentException("images are numbered from 0, not from " + first);
        this.seed = seed;
        this.first = first;
    }

    @Override
    public Tensor like(Tensor x) {
        return draw(x.backend(), x.dtype(), x.shape());
    }

    /** The next draw of the images first, first + 1, …: shape [N, …]. */
    public Tensor draw(Backend backend, DType dtype, Shape shape) {
        int n = shape.get(0);
        int values = shape.size() / n;
        int padded = (values + 3) / 4 * 4;
        if ((first + n) * padded > DRAW)
            throw new IllegalArgumentException("image " + (first + n - 1) + " is beyond the end of its random stream");
        Tensor wide = Tensor.empty(backend, dtype, Shape.of(n, padded));
        backend.random(Distribution.NORMAL, seed, draws++ * DRAW + first * padded, wide);
        if (padded == values) return wide.reshape(shape);
        Tensor y = wide.empty(shape);
        backend.copy(Region.of(wide).slice(1, 0, values), Region.of(y, Shape.of(n, values)));
        return y;
    }
}
