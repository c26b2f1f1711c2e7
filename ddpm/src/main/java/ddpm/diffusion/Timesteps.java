package ddpm.diffusion;

import java.util.Arrays;

/**
 * The timesteps that a sampler visits, from noise to image; from the last one it goes to ᾱ = 1. This list is the whole
 * truth: {@link Walk} hands out its pairs (t, next), and no sampler computes a neighbour on its own.
 */
public final class Timesteps {
    /** {@code next} of the last timestep: ᾱ_{−1} = 1, the image itself. */
    public static final int IMAGE = -1;

    /** How some of the timesteps are chosen; the names are those of Lin et al. 2024, table 2. */
    public enum Spacing {
        /** {@link Timesteps#evenly}. */
        LINSPACE,
        /** {@link Timesteps#leading}. */
        LEADING,
        /** {@link Timesteps#trailing}. */
        TRAILING,
        /** The same rounded down, as lucidrains has it (where single precision can fall just below a whole number). */
        TRAILING_DOWN,
        /** {@link #LINSPACE} over one more, of which the last, 0, is left out: as diffusers has it for DPM-Solver. */
        LINSPACE_OPEN,
        /** {@link #LEADING}, likewise. */
        LEADING_OPEN
    }

    private final int[] steps;

    private Timesteps(int[] steps) {
        this.steps = steps;
    }

    /** A list of one's own: falling, none below 0. */
    public static Timesteps of(int... steps) {
        if (steps.length == 0) throw new IllegalArgumentException("a sampler needs at least one timestep");
        for (int i = 0; i < steps.length; i++)
            if (steps[i] < 0 || (i > 0 && steps[i] >= steps[i - 1]))
                throw new IllegalArgumentException(
                        "timesteps must fall and end at 0 or above: " + Arrays.toString(steps));
        return new Timesteps(steps.clone());
    }

    /** T−1, T−2, …, 0. */
    public static Timesteps all(int timesteps) {
        return evenly(timesteps, timesteps);
    }

    /** {@code count} of the timesteps. */
    public static Timesteps spaced(Spacing spacing, int timesteps, int count) {
        return switch (spacing) {
            case LINSPACE -> evenly(timesteps, count);
            case LEADING -> leading(timesteps, count);
            case TRAILING -> trailing(timesteps, count);
            case TRAILING_DOWN -> trailingDown(timesteps, count);
            case LINSPACE_OPEN -> evenly(timesteps, count + 1).withoutLast();
            case LEADING_OPEN -> leading(timesteps, count + 1).withoutLast();
        };
    }

    private Timesteps withoutLast() {
        return new Timesteps(Arrays.copyOf(steps, steps.length - 1));
    }

    /**
     * {@code count} timesteps down to 0 at the whole distance ⌊T/count⌋. The first lies below T−1, where an image is not
     * yet pure noise; published figures of many models were made so.
     */
    public static Timesteps leading(int timesteps, int count) {
        check(timesteps, count);
        int[] steps = new int[count];
        for (int i = 0; i < count; i++) steps[i] = (count - 1 - i) * (timesteps / count);
        return of(steps);
    }

    /** {@code count} timesteps from T−1 to 0 at equal distances, rounded ("linspace"). */
    public static Timesteps evenly(int timesteps, int count) {
        check(timesteps, count);
        int[] steps = new int[count];
        for (int i = 0; i < count; i++)
            steps[i] = count == 1 ? timesteps - 1 : (int) Math.rint((timesteps - 1.0) * (count - 1 - i) / (count - 1));
        return of(steps);
    }

    /**
     * {@code count} timesteps from T−1 downwards at distance T/count, rounded, so that the last step is as long as the
     * others.
     */
    public static Timesteps trailing(int timesteps, int count) {
        check(timesteps, count);
        int[] steps = new int[count];
        for (int i = 0; i < count; i++) steps[i] = (int) Math.rint(timesteps - i * (double) timesteps / count) - 1;
        return of(steps);
    }

    private static Timesteps trailingDown(int timesteps, int count) {
        check(timesteps, count);
        int[] steps = new int[count];
        for (int i = 0; i < count; i++) steps[i] = (int) ((count - i) * (long) timesteps / count) - 1;
        return of(steps);
    }

    /**
     * Timesteps from T−1 to 0 whose noise levels σ = √((1−ᾱ)/ᾱ) are nearest to those of Karras et al. 2022, Eq. 5:
     *
     * <pre>σ_i = (σ_max^{1/ρ} + i/(n−1) (σ_min^{1/ρ} − σ_max^{1/ρ}))^ρ</pre>
     *
     * Where several σ_i fall on one timestep it is visited once, so there can be fewer than {@code count}.
     */
    public static Timesteps karras(NoiseSchedule schedule, int count, double rho) {
        int timesteps = schedule.timesteps();
        check(timesteps, count);
        if (count == 1) return of(timesteps - 1);
        int top = schedule.alphaBar(timesteps - 1) > 0 ? timesteps - 1 : timesteps - 2; // σ is infinite where ᾱ is 0
        double max = Math.pow(schedule.sigma(top), 1 / rho);
        double min = Math.pow(schedule.sigma(0), 1 / rho);
        int[] steps = new int[count];
        int t = top;
        for (int i = 0; i < count; i++) {
            double sigma = Math.pow(max + i / (count - 1.0) * (min - max), rho);
            while (t > 0 && closer(schedule.sigma(t - 1), schedule.sigma(t), sigma)) t--;
            steps[i] = t;
        }
        steps[0] = timesteps - 1;
        steps[count - 1] = 0;
        return of(Arrays.stream(steps).distinct().toArray());
    }

    /** Whether a is nearer to the goal than b, as a ratio. */
    private static boolean closer(double a, double b, double goal) {
        return Math.abs(Math.log(a / goal)) <= Math.abs(Math.log(b / goal));
    }

    private static void check(int timesteps, int count) {
        if (count < 1 || count > timesteps)
            throw new IllegalArgumentException(
                    "sampling-steps needs 1.." + timesteps + ", the timesteps of the model, not " + count);
    }

    /** Those of this list up to t, and t before them if it is not among them: the way of an image that has noise up to t. */
    public Timesteps from(int t) {
        int[] below = Arrays.stream(steps).filter(s -> s < t).toArray();
        int[] all = new int[below.length + 1];
        all[0] = t;
        System.arraycopy(below, 0, all, 1, below.length);
        return of(all);
    }

    /** How many steps a sampler takes. */
    public int count() {
        return steps.length;
    }

    /** Timestep number i, from 0; {@link #IMAGE} after the last. */
    public int at(int i) {
        return i == steps.length ? IMAGE : steps[i];
    }

    /** A copy of the list. */
    public int[] toArray() {
        return steps.clone();
    }

    @Override
    public String toString() {
        return Arrays.toString(steps);
    }
}
