package ddpm.diffusion;

import java.util.Locale;
import java.util.function.IntToDoubleFunction;

/**
 * β₁ … β_T and everything that follows from them, in double. Timesteps are {@code t = 0 … T−1}; the paper's t is ours
 * plus one. Notation of Ho et al. 2020, §2:
 *
 * <pre>α_t = 1 − β_t      ᾱ_t = Π_{s≤t} α_s      ᾱ_{−1} = 1</pre>
 *
 * ᾱ falls from almost 1 to ᾱ_T; sampling starts from pure noise, so ᾱ_T should be almost 0 (see
 * {@link #keepsSignal}).
 */
public final class NoiseSchedule {
    /** The published families. */
    public enum Kind {
        /** β from 1e−4 to 0.02 in equal steps whatever T, as in the notebook (and in Ho et al., where T = 1000). */
        LINEAR,
        /** The same line scaled by 1000/T, so that ᾱ_T stays small for any T (Nichol and Dhariwal's code). */
        LINEAR_SCALED,
        /** ᾱ_t ∝ cos²((t/T + s)/(1 + s) · π/2), s = 0.008, β at most 0.9999 (Nichol and Dhariwal 2021, Eq. 17). */
        COSINE,
        /** √β from √1e−4 to √0.02 in equal steps. */
        QUADRATIC,
        /** β follows the logistic function over [−6, 6], from 1e−4 to 0.02. */
        SIGMOID,
        /** The cosine with the bound of Nichol and Dhariwal 2021 and no other: β at most 0.999. */
        COSINE_IDDPM,
        /** ᾱ_t falls as the logistic function over [−3, 3] does, brought to 1 … 0; β at most 0.999 (Jabri et al. 2022). */
        SIGMOID_ALPHA;

        /** Whether it goes from one β that is given to another. */
        public boolean takesBetas() {
            return this == LINEAR || this == QUADRATIC || this == SIGMOID;
        }

        /** The name for command lines and files. */
        public String word() {
            return name().toLowerCase(Locale.ROOT).replace('_', '-');
        }

        /** The schedule of this name. */
        public static Kind of(String word) {
            for (Kind kind : values()) if (kind.word().equals(word)) return kind;
            throw new IllegalArgumentException("the schedule " + word + " is not known here");
        }
    }

    /** β_1 of Ho et al. 2020. */
    public static final double BETA_START = 1e-4;
    /** β_T of Ho et al. 2020. */
    public static final double BETA_END = 0.02;
    /** Above this ᾱ_T, pure noise is a visibly wrong start for sampling. */
    private static final double SIGNAL_LIMIT = 0.01;

    private final double[] betas;
    private final double[] alphaBar;

    private NoiseSchedule(double[] betas) {
        this.betas = betas;
        alphaBar = new double[betas.length];
        double product = 1;
        for (int t = 0; t < betas.length; t++) {
            boolean last = t == betas.length - 1;
            if (!(betas[t] > 0 && (betas[t] < 1 || last && betas[t] == 1)))
                throw new IllegalArgumentException("beta must lie in (0, 1), but beta[" + t + "] = " + betas[t]);
            alphaBar[t] = product *= 1 - betas[t];
        }
    }

    /**
     * One of the published schedules.
     *
     * @param timesteps T, at least 2
     */
    public static NoiseSchedule of(Kind kind, int timesteps) {
        return of(kind, timesteps, BETA_START, BETA_END);
    }

    /**
     * One of the published schedules between other ends.
     *
     * @param timesteps T, at least 2
     * @param first β_1, for the schedules that have it given
     * @param last β_T, likewise
     */
    public static NoiseSchedule of(Kind kind, int timesteps, double first, double last) {
        if (timesteps < 2)
            throw new IllegalArgumentException("a schedule needs at least 2 timesteps, not " + timesteps);
        double end = timesteps - 1;
        return switch (kind) {
            case LINEAR -> tabulate(timesteps, t -> lerp(first, last, t / end));
            case LINEAR_SCALED -> {
                double scale = 1000.0 / timesteps;
                yield tabulate(timesteps, t -> Math.min(0.999, lerp(scale * first, scale * last, t / end)));
            }
            case COSINE -> tabulate(timesteps, t -> clip(1 - cosine(t + 1, timesteps) / cosine(t, timesteps)));
            case QUADRATIC ->
                tabulate(timesteps, t -> {
                    double root = lerp(Math.sqrt(first), Math.sqrt(last), t / end);
                    return root * root;
                });
            case SIGMOID -> tabulate(timesteps, t -> lerp(first, last, logistic(lerp(-6, 6, t / end))));
            case COSINE_IDDPM ->
                tabulate(timesteps, t -> Math.min(0.999, 1 - cosine(t + 1, timesteps) / cosine(t, timesteps)));
            case SIGMOID_ALPHA ->
                tabulate(timesteps, t -> Math.min(0.999, 1 - falling(t + 1, timesteps) / falling(t, timesteps)));
        };
    }

    /** A schedule given by its β. */
    public static NoiseSchedule ofBetas(double... betas) {
        if (betas[betas.length - 1] == 1)
            throw new IllegalArgumentException("beta 1 leaves no signal: take withoutFinalSignal of another schedule");
        return new NoiseSchedule(betas.clone());
    }

    /**
     * This schedule with the rest of the signal taken from its end (Lin et al. 2023, Algorithm 1): √ᾱ is shifted until it
     * is 0 at T−1 and stretched until it is what it was at 0. Where ᾱ = 0 the noise says nothing about the image, so the
     * network must predict x₀ or v.
     */
    public NoiseSchedule withoutFinalSignal() {
        int last = timesteps() - 1;
        double scale = sqrtAlphaBar(0) / (sqrtAlphaBar(0) - sqrtAlphaBar(last));
        double[] rescaled = new double[timesteps()];
        double before = 1;
        for (int t = 0; t <= last; t++) {
            double root = (sqrtAlphaBar(t) - sqrtAlphaBar(last)) * scale;
            rescaled[t] = t == last ? 1 : 1 - root * root / before;
            before = root * root;
        }
        return new NoiseSchedule(rescaled);
    }

    private static NoiseSchedule tabulate(int timesteps, IntToDoubleFunction beta) {
        double[] betas = new double[timesteps];
        for (int t = 0; t < timesteps; t++) betas[t] = beta.applyAsDouble(t);
        return new NoiseSchedule(betas);
    }

    private static double lerp(double from, double to, double fraction) {
        return from + (to - from) * fraction;
    }

    private static double cosine(int t, int timesteps) {
        double s = 0.008;
        double c = Math.cos(((double) t / timesteps + s) / (1 + s) * Math.PI / 2);
        return c * c;
    }

    private static double logistic(double x) {
        return 1 / (1 + Math.exp(-x));
    }

    private static double falling(int t, int timesteps) {
        return logistic(3) - logistic(6.0 * t / timesteps - 3);
    }

    /** The notebook's bounds on a cosine β. */
    private static double clip(double beta) {
        return Math.min(0.9999, Math.max(0.0001, beta));
    }

    /** T. */
    public int timesteps() {
        return betas.length;
    }

    /** β_t, the variance added by step t. */
    public double beta(int t) {
        return betas[t];
    }

    /** ᾱ_t, the share of signal variance left after step t; ᾱ_{−1} = 1. */
    public double alphaBar(int t) {
        return t < 0 ? 1 : alphaBar[t];
    }

    /** √ᾱ_t, the factor on x₀ in Eq. 4. */
    public double sqrtAlphaBar(int t) {
        return Math.sqrt(alphaBar(t));
    }

    /** √(1 − ᾱ_t), the factor on ε in Eq. 4. */
    public double sqrtOneMinusAlphaBar(int t) {
        return Math.sqrt(1 - alphaBar(t));
    }

    /** ᾱ_t / (1 − ᾱ_t), the signal-to-noise ratio of x_t. */
    public double signalToNoise(int t) {
        return alphaBar[t] / (1 - alphaBar[t]);
    }

    /** σ_t = √((1 − ᾱ_t) / ᾱ_t), the noise level beside an unscaled image; 0 at t = −1. */
    public double sigma(int t) {
        return Math.sqrt((1 - alphaBar(t)) / alphaBar(t));
    }

    /** λ_t = ln √(ᾱ_t / (1 − ᾱ_t)), half the logarithm of the signal-to-noise ratio; ∞ at t = −1. */
    public double logSignalToNoise(int t) {
        return 0.5 * Math.log(alphaBar(t) / (1 - alphaBar(t)));
    }

    /** The reverse step from t to {@code next}, which may be −1. */
    public Transition transition(int t, int next) {
        return new Transition(alphaBar(t), alphaBar(next));
    }

    /** The reverse step from t to t − 1. */
    public Transition transition(int t) {
        return transition(t, t - 1);
    }

    /** Whether so much signal is left at the end that pure noise is a wrong start: ᾱ_T above 0.01. */
    public boolean keepsSignal() {
        return alphaBar[alphaBar.length - 1] > SIGNAL_LIMIT;
    }
}
