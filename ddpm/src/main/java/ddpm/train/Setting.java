package ddpm.train;

import ddpm.diffusion.AncestralSampler;
import ddpm.diffusion.LossKind;
import ddpm.diffusion.NoiseSchedule;
import ddpm.diffusion.Objective;
import ddpm.diffusion.SamplerChoice;
import ddpm.diffusion.Target;
import ddpm.diffusion.Timesteps;
import ddpm.unet.AnnotatedConfig;
import java.util.Arrays;
import java.util.EnumSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;

/**
 * Everything about a run that can be set: one row is the command-line option, the key in {@code config.json}, its
 * range and its help. Values come from the preset, then from a configuration file, then from the command line.
 */
public enum Setting {
    PRESET("preset", Kind.Choice.of(Preset.class), "what the other settings start from"),
    DATA(
            "data",
            new Kind.Text(),
            "fashion, mnist, kmnist, cifar10, or a folder of IDX files, CIFAR-10 files or pictures; else"
                    + " $DDPM_DATA, if that is set"),
    IMAGE_SIZE("image-size", new Kind.Whole(0, 4096), "side to which pictures of a folder are brought; 0: 32"),
    FLIP("flip", new Kind.Flag(), "mirror images at random while training"),
    STEPS("steps", new Kind.Whole(0, Long.MAX_VALUE), "optimizer updates; 0: from epochs or max-minutes"),
    // an epoch has fewer than 2^31 steps, so that their number in all is a long
    EPOCHS("epochs", new Kind.Whole(0, 1 << 30), "passes over the data; 0: from max-minutes"),
    MAX_MINUTES(
            "max-minutes",
            new Kind.Number(0, 1e6),
            "time to fill with training and sampling, measured over the first steps"),
    BATCH_SIZE("batch-size", new Kind.Whole(1, 1 << 20), "images in a step"),
    ACCUMULATE("accumulate", new Kind.Whole(1, 1 << 20), "batches whose gradients are averaged into one update"),
    LR("lr", new Kind.Number(0, 10), "learning rate of Adam, at its highest"),
    WARMUP("warmup", new Kind.Whole(0, Long.MAX_VALUE), "steps over which the learning rate rises from 0"),
    DECAY("decay", Kind.Choice.of(Decay.class), "how the learning rate falls after the warm-up"),
    CLIP("clip", new Kind.Number(0, Double.MAX_VALUE), "largest global norm of the gradient; 0: no limit"),
    EMA("ema", new Kind.Number(0, 0.999999), "decay of the averaged weights that sampling uses; 0: none"),
    NETWORK(
            "network",
            new Kind.Document(),
            "a network's config.json (of diffusers, or written by ddpm.Export), in place of topology to"
                    + " attention-levels"),
    TOPOLOGY("topology", Kind.Choice.of(Topology.class), "arrangement of the U-Net"),
    DIM("dim", new Kind.Whole(4, 4096), "width of the U-Net's first level"),
    DIM_MULTS("dim-mults", new Kind.Wholes(1), "width of each level, as multiples of dim"),
    BLOCK("block", Kind.Choice.of(AnnotatedConfig.BlockKind.class), "what the U-Net's blocks are made of"),
    GROUPS("groups", new Kind.Whole(1, 4096), "groups of the norms in resnet blocks"),
    SCALE_SHIFT(
            "scale-shift", new Kind.Flag(), "time scales and shifts features in resnet blocks instead of being added"),
    STANDARDIZED("standardized", new Kind.Flag(), "weight-standardised filters in resnet blocks"),
    ZERO_INIT("zero-init", new Kind.Flag(), "residual branches and the output start at zero"),
    DROPOUT("dropout", new Kind.Number(0, 0.99), "share of features dropped in resnet blocks while training"),
    BLOCKS_PER_LEVEL("blocks-per-level", new Kind.Whole(1, 64), "blocks on the way down (topology ddpm)"),
    ATTENTION_LEVELS("attention-levels", new Kind.Wholes(0), "levels with attention, 0 the largest (topology ddpm)"),
    TIMESTEPS("timesteps", new Kind.Whole(2, 1 << 24), "T, the number of noise levels"),
    SCHEDULE("schedule", Kind.Choice.of(NoiseSchedule.Kind.class), "how the noise grows with t"),
    BETA_START("beta-start", new Kind.Number(1e-9, 0.999), "first beta (schedules linear, quadratic, sigmoid)"),
    BETA_END("beta-end", new Kind.Number(1e-9, 0.999), "last beta, likewise"),
    TARGET("target", Kind.Choice.of(Target.class), "what the network predicts: noise, image or velocity"),
    OBJECTIVE(
            "objective",
            Kind.Choice.of(Objective.Kind.class),
            "what is minimised: the loss, with the bound, the bound"),
    LOSS("loss", Kind.Choice.of(LossKind.class), "distance between truth and prediction"),
    MIN_SNR("min-snr", new Kind.Number(0, 1e6), "limit on the weight of clear images in the loss, such as 5; 0: none"),
    OFFSET_NOISE("offset-noise", new Kind.Number(0, 1), "further noise of one value for a whole channel; 0: none"),
    ZERO_SNR("zero-snr", new Kind.Flag(), "rescale the schedule so that no signal is left at the end"),
    T_SAMPLING("t-sampling", Kind.Choice.of(TimestepDraw.Kind.class), "how timesteps are drawn while training"),
    SELF_CONDITION("self-condition", new Kind.Flag(), "show the network its own last estimate of the image"),
    LOW_RESOLUTION(
            "low-resolution",
            new Kind.Whole(0, 4096),
            "height of a small picture of each image that the network is shown, to enlarge it; 0: none"),
    LOW_NOISE_MAX(
            "low-noise-max",
            new Kind.Number(0, 1),
            "most noise on the small picture while training, as a part of the way to pure noise"),
    LOW_NOISE("low-noise", new Kind.Number(0, 1), "noise on the small picture when drawing, likewise"),
    LABELS("labels", new Kind.Flag(), "tell the network the class of each image"),
    LABEL_DROPOUT("label-dropout", new Kind.Number(0, 1), "share of images trained without their label, for guidance"),
    GUIDANCE("guidance", new Kind.Number(0, 1000), "how far to follow the label when drawing; 1: just the label"),
    GUIDANCE_RESCALE("guidance-rescale", new Kind.Number(0, 1), "share of guided contrast brought back to normal"),
    SAMPLER("sampler", new Kind.Choice(SamplerChoice.Kind.words()), "method that draws images"),
    SAMPLING_STEPS("sampling-steps", new Kind.Whole(0, 1 << 24), "timesteps that it visits; 0: all"),
    SPACING("spacing", Kind.Choice.of(Timesteps.Spacing.class), "how these timesteps are chosen"),
    ETA("eta", new Kind.Number(0, 1), "noise added back by sampler ddim; 0: none, 1: as much as ddpm"),
    VARIANCE(
            "variance",
            Kind.Choice.of(AncestralSampler.Variance.class),
            "noise added back in each step of sampler ddpm"),
    CLIP_X0("clip-x0", new Kind.Flag(), "limit the estimated image to [-1, 1] in each sampling step"),
    SEED("seed", new Kind.Whole(Long.MIN_VALUE, Long.MAX_VALUE), "start of every random stream"),
    SAMPLES("samples", new Kind.Whole(1, 1024), "images in the sample grids"),
    SAMPLE_EVERY(
            "sample-every", new Kind.Whole(0, Long.MAX_VALUE), "steps between sample grids; 0: at 10, 30 and 60 %"),
    SAVE_EVERY("save-every", new Kind.Whole(0, Long.MAX_VALUE), "steps between checkpoints; 0: about every 2 minutes"),
    KEEP("keep", new Kind.Whole(1, 1 << 20), "number of newest checkpoints that stay");

    /** What {@link #NETWORK} says in their place. */
    static final Set<Setting> OF_NETWORK = EnumSet.of(
            TOPOLOGY,
            DIM,
            DIM_MULTS,
            BLOCK,
            GROUPS,
            SCALE_SHIFT,
            STANDARDIZED,
            DROPOUT,
            BLOCKS_PER_LEVEL,
            ATTENTION_LEVELS);

    /** What only the topologies notebook and blog have. */
    static final Set<Setting> OF_ANNOTATED = EnumSet.of(SCALE_SHIFT, STANDARDIZED);

    /** What only resnet blocks have. */
    static final Set<Setting> OF_RESNET = EnumSet.of(GROUPS, SCALE_SHIFT, STANDARDIZED, DROPOUT);

    /** What only the topology ddpm has. */
    static final Set<Setting> OF_DDPM = EnumSet.of(BLOCKS_PER_LEVEL, ATTENTION_LEVELS);

    /** What only some schedules have. */
    static final Set<Setting> OF_BETAS = EnumSet.of(BETA_START, BETA_END);

    /** What decides how much noise there is at which timestep. */
    static final Set<Setting> OF_NOISE = EnumSet.of(TIMESTEPS, SCHEDULE, BETA_START, BETA_END, ZERO_SNR);

    private final String key;
    private final Kind kind;
    private final String help;

    Setting(String key, Kind kind, String help) {
        this.key = key;
        this.kind = kind;
        this.help = help;
    }

    /** Name on the command line and in files. */
    public String key() {
        return key;
    }

    /** One line for the help page. */
    public String help() {
        return help + " (" + kind.allowed() + ")";
    }

    /** Whether the option may stand without a value, for yes. */
    public boolean isFlag() {
        return kind instanceof Kind.Flag;
    }

    Object fromText(String text) {
        return named(() -> kind.fromText(text));
    }

    Object fromJson(Object json) {
        return named(() -> kind.fromJson(json));
    }

    private Object named(java.util.function.Supplier<Object> reading) {
        try {
            return reading.get();
        } catch (IllegalArgumentException e) {
            throw new IllegalArgumentException(key + " " + e.getMessage(), e);
        }
    }

    /** The setting with this key. */
    static Optional<Setting> of(String key) {
        return Arrays.stream(values()).filter(s -> s.key.equals(key)).findFirst();
    }

    /** All keys, in order. */
    static List<String> keys() {
        return Arrays.stream(values()).map(Setting::key).toList();
    }
}
