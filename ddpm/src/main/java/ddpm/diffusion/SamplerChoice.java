package ddpm.diffusion;

import java.util.Arrays;
import java.util.List;

/**
 * Which {@link Sampler} and over how many timesteps.
 *
 * @param kind the method
 * @param count number of timesteps; 0 for all of them
 * @param eta {@link Kind#DDIM} only
 * @param variance {@link Kind#DDPM} only
 * @param spacing how the timesteps are chosen when they are not all; not for {@link Kind#HEUN}
 */
public record SamplerChoice(
        Kind kind, int count, double eta, AncestralSampler.Variance variance, Timesteps.Spacing spacing) {
    /** With timesteps at equal distances from the first to the last. */
    public SamplerChoice(Kind kind, int count, double eta, AncestralSampler.Variance variance) {
        this(kind, count, eta, variance, Timesteps.Spacing.LINSPACE);
    }

    /** ρ of Karras et al. 2022. */
    private static final double RHO = 7;

    /** The methods, by the names they go by. */
    public enum Kind {
        DDPM("ddpm"),
        DDIM("ddim"),
        DPM_SOLVER("dpm++"),
        HEUN("heun");

        private final String word;

        Kind(String word) {
            this.word = word;
        }

        /** The name for command lines and files. */
        public String word() {
            return word;
        }

        /** All names. */
        public static List<String> words() {
            return Arrays.stream(values()).map(Kind::word).toList();
        }

        /** The method of this name, one of {@link #words}. */
        public static Kind of(String word) {
            return Arrays.stream(values())
                    .filter(kind -> kind.word.equals(word))
                    .findFirst()
                    .orElseThrow(() -> new IllegalArgumentException(
                            "a sampler is one of " + String.join(", ", words()) + ", not " + word));
        }
    }

    /** The list of timesteps under a schedule: Karras's for Heun, otherwise as {@link #spacing} says. */
    public Timesteps timesteps(NoiseSchedule schedule) {
        int all = schedule.timesteps();
        if (count == 0 || count == all) return Timesteps.all(all);
        return kind == Kind.HEUN ? Timesteps.karras(schedule, count, RHO) : Timesteps.spaced(spacing, all, count);
    }

    /** How often the network is asked for each image: once a step, and by Heun's method once more where it corrects. */
    public int evaluations(NoiseSchedule schedule) {
        int[] steps = timesteps(schedule).toArray();
        int corrected = 0;
        for (int i = 0; i < steps.length - 1; i++)
            if (HeunSampler.corrects(schedule, steps[i], steps[i + 1])) corrected++;
        return steps.length + (kind == Kind.HEUN ? corrected : 0);
    }

    /** The sampler; fresh noise comes from {@code source}. */
    public Sampler sampler(NoiseSchedule schedule, Noise source) {
        return sampler(schedule, timesteps(schedule), source);
    }

    /** The sampler over another list of timesteps. */
    public Sampler sampler(NoiseSchedule schedule, Timesteps steps, Noise source) {
        return switch (kind) {
            case DDPM -> new AncestralSampler(schedule, steps, variance, source);
            case DDIM -> new DdimSampler(schedule, steps, eta, source);
            case DPM_SOLVER -> new DpmSolver(schedule, steps);
            case HEUN -> new HeunSampler(schedule, steps);
        };
    }
}
