package ddpm.train;

import ddpm.io.SafetensorsFile;
import ddpm.io.SafetensorsWriter;
import java.io.IOException;
import java.util.Arrays;
import tensor.DType;
import tensor.Rng;
import tensor.Shape;
import tensor.Tensor;
import tensor.backend.Backend;
import tensor.backend.Distribution;

/**
 * Which timesteps a batch is trained at, and what each then counts. Uniform, or by importance (Nichol and Dhariwal 2021,
 * §3.3): more often where the loss is large, and weighted down for it, so that the expected gradient stays what it is.
 *
 * <pre>p_t ∝ √(mean of the last 10 squared losses at t)      p ← 0.999 p + 0.001/T      weight = 1 / (T p_t)</pre>
 *
 * Uniform until every t has been seen ten times.
 */
final class TimestepDraw {
    /** The two ways. */
    enum Kind {
        UNIFORM,
        SECOND_MOMENT
    }

    /**
     * The timesteps of a batch.
     *
     * @param t [N]
     * @param weights [N], or {@code null} for 1
     */
    record Drawn(Tensor t, Tensor weights) {}

    private static final int MEMORY = 10;
    private static final double UNIFORM_SHARE = 0.001;
    private static final String LOSSES = "timestep_losses";
    private static final String COUNTS = "timestep_counts";

    private final int timesteps;
    private final float[] losses; // [T, MEMORY], the last ones, in a ring; null when uniform
    private final long[] counts; // [T], losses seen so far

    TimestepDraw(Kind kind, int timesteps) {
        this.timesteps = timesteps;
        losses = kind == Kind.UNIFORM ? null : new float[Math.multiplyExact(timesteps, MEMORY)];
        counts = kind == Kind.UNIFORM ? null : new long[timesteps];
    }

    /** Whether the draw is uniform, and so needs no host. */
    boolean isUniform() {
        return losses == null;
    }

    Drawn draw(Rng rng, Backend backend, DType dtype, int n) {
        if (losses == null)
            return new Drawn(rng.draw(Distribution.integers(timesteps), backend, dtype, Shape.of(n)), null);
        double[] p = probabilities();
        double[] u = rng.draw(Distribution.UNIFORM, backend, dtype, Shape.of(n)).toDoubles();
        double[] t = new double[n];
        double[] weights = new double[n];
        for (int i = 0; i < n; i++) {
            int k = find(p, u[i]);
            t[i] = k;
            weights[i] = 1 / (timesteps * p[k]);
        }
        return new Drawn(Tensor.of(backend, dtype, Shape.of(n), t), Tensor.of(backend, dtype, Shape.of(n), weights));
    }

    /** The t whose stretch of [0, 1) holds u. */
    private static int find(double[] p, double u) {
        double sum = 0;
        for (int t = 0; t < p.length; t++) {
            sum += p[t];
            if (u < sum) return t;
        }
        return p.length - 1;
    }

    /** p_t for every t. */
    double[] probabilities() {
        double[] p = new double[timesteps];
        Arrays.fill(p, 1.0 / timesteps);
        for (long count : counts) if (count < MEMORY) return p;
        double sum = 0;
        for (int t = 0; t < timesteps; t++) {
            double square = 0;
            for (int k = 0; k < MEMORY; k++) square += (double) losses[t * MEMORY + k] * losses[t * MEMORY + k];
            sum += p[t] = Math.sqrt(square / MEMORY);
        }
        for (int t = 0; t < timesteps; t++) p[t] = (1 - UNIFORM_SHARE) * p[t] / sum + UNIFORM_SHARE / timesteps;
        return p;
    }

    /** Remembers the losses, before weighting, of a batch at its timesteps. */
    void seen(float[] t, float[] loss) {
        if (losses == null) return;
        for (int i = 0; i < t.length; i++) {
            int k = (int) t[i];
            losses[k * MEMORY + (int) (counts[k]++ % MEMORY)] = loss[i];
        }
    }

    void save(SafetensorsWriter state) {
        if (losses == null) return;
        state.add(LOSSES, new int[] {timesteps, MEMORY}, losses::clone);
        state.addLongs(COUNTS, counts);
    }

    void restore(SafetensorsFile state) throws IOException {
        if (losses == null) return;
        float[] saved = state.floats(LOSSES);
        long[] seen = state.longs(COUNTS);
        if (saved.length != losses.length || seen.length != counts.length)
            throw new IllegalArgumentException("the saved losses belong to another number of timesteps");
        System.arraycopy(saved, 0, losses, 0, saved.length);
        System.arraycopy(seen, 0, counts, 0, seen.length);
    }
}
