package ddpm.train;

import datasets.Dataset;
import datasets.Datasets;
import ddpm.diffusion.AncestralSampler;
import ddpm.diffusion.GaussianDiffusion;
import ddpm.diffusion.LossKind;
import ddpm.diffusion.LowResolution;
import ddpm.diffusion.NoiseSchedule;
import ddpm.diffusion.Objective;
import ddpm.diffusion.SamplerChoice;
import ddpm.diffusion.Target;
import ddpm.diffusion.Timesteps;
import ddpm.exchange.NetworkDocument;
import ddpm.unet.AnnotatedConfig;
import ddpm.unet.AnnotatedConfig.BlockKind;
import ddpm.unet.LucidrainsConfig;
import ddpm.unet.Ports;
import ddpm.unet.UNet2DConfig;
import ddpm.unet.UNetConfig;
import java.util.Collections;
import java.util.EnumMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import optim.LearningRate;

/** The value of every {@link Setting} of a run; immutable. */
public final class Settings {
    private final Map<Setting, Object> values;

    private Settings(Map<Setting, Object> values) {
        this.values = Collections.unmodifiableMap(values);
        if (steps() == 0 && epochs() == 0 && maxMinutes() == 0)
            throw new IllegalArgumentException("one of steps, epochs and max-minutes must be above 0");
        if (flag(Setting.ZERO_SNR) && target() == Target.EPSILON)
            throw new IllegalArgumentException(
                    "zero-snr leaves no image in the last x_t, so the noise says nothing about it: set target to v or x0");
        if (learnsVariance() && objectiveKind() == Objective.Kind.SIMPLE)
            throw new IllegalArgumentException(
                    "variance learned needs the objective hybrid or bound; the simple loss does not train it");
        if (!learnsVariance() && objectiveKind() == Objective.Kind.HYBRID)
            throw new IllegalArgumentException("the objective hybrid trains variances: set variance to learned");
        if (number(Setting.LOW_NOISE) > number(Setting.LOW_NOISE_MAX))
            throw new IllegalArgumentException("low-noise needs at most the low-noise-max that is trained, "
                    + number(Setting.LOW_NOISE_MAX) + ", not " + number(Setting.LOW_NOISE));
        if (sampler().count() > timesteps())
            throw new IllegalArgumentException("sampling-steps needs at most the " + timesteps()
                    + " timesteps of the model, not " + sampler().count());
    }

    /**
     * Layers of settings: the preset that the last layer naming one asks for, then every layer in turn.
     *
     * @param json settings from a file, by key, as JSON values
     * @param options settings from a command line, by key, as text
     * @throws IllegalArgumentException for an unknown key or a value out of range, naming it
     */
    public static Settings of(Map<String, Object> json, Map<String, String> options) {
        Map<Setting, Object> file = new EnumMap<>(Setting.class);
        json.forEach((key, value) -> file.put(named(key), named(key).fromJson(value)));
        Map<Setting, Object> line = new EnumMap<>(Setting.class);
        options.forEach((key, text) -> line.put(named(key), named(key).fromText(text)));
        Object preset =
                line.getOrDefault(Setting.PRESET, file.getOrDefault(Setting.PRESET, Kind.Choice.word(Preset.QUICK)));
        Map<Setting, Object> values = constant(Preset.class, (String) preset).settings();
        overlay(values, file);
        overlay(values, line);
        if (values.get(Setting.NETWORK) instanceof Map<?, ?> network && !network.isEmpty())
            for (Setting setting : Setting.OF_NETWORK)
                if (line.containsKey(setting))
                    throw new IllegalArgumentException(
                            setting.key() + " is part of the network, which is given whole: leave it out");
        Settings settings = new Settings(values);
        settings.refuseIdle(line);
        return settings;
    }

    /** What the command line asks for must change something; a file, which holds every setting, is taken as it is. */
    private void refuseIdle(Map<Setting, Object> line) {
        Topology topology = choice(Setting.TOPOLOGY, Topology.class);
        boolean annotated = topology == Topology.NOTEBOOK || topology == Topology.BLOG;
        for (Setting setting : Setting.OF_ANNOTATED)
            if (asksFor(line.get(setting)) && !annotated)
                throw new IllegalArgumentException(setting.key()
                        + " belongs to the topologies notebook and blog, not to " + Kind.Choice.word(topology));
        for (Setting setting : Setting.OF_DDPM)
            if (line.containsKey(setting) && topology != Topology.DDPM)
                throw new IllegalArgumentException(
                        setting.key() + " belongs to the topology ddpm, not to " + Kind.Choice.word(topology));
        for (Setting setting : Setting.OF_RESNET)
            if (asksFor(line.get(setting)) && choice(Setting.BLOCK, BlockKind.class) != BlockKind.RESNET)
                throw new IllegalArgumentException(
                        setting.key() + " belongs to resnet blocks, not to " + values.get(Setting.BLOCK));
        if (line.containsKey(Setting.GROUPS) && topology == Topology.LUCIDRAINS)
            throw new IllegalArgumentException(
                    "groups belongs to the topologies notebook, blog and ddpm, not to lucidrains");
        NoiseSchedule.Kind schedule = scheduleKind();
        for (Setting setting : Setting.OF_BETAS)
            if (line.containsKey(setting) && !schedule.takesBetas())
                throw new IllegalArgumentException(setting.key()
                        + " belongs to the schedules linear, quadratic and sigmoid, not to " + schedule.word());
        if (line.containsKey(Setting.LABEL_DROPOUT) && !labels())
            throw new IllegalArgumentException("label-dropout belongs to a run with labels");
        for (Setting setting : List.of(Setting.LOW_NOISE, Setting.LOW_NOISE_MAX))
            if (line.containsKey(setting) && !enlarges())
                throw new IllegalArgumentException(setting.key() + " belongs to a run with a low-resolution");
        if (line.containsKey(Setting.GUIDANCE_RESCALE) && !labels())
            throw new IllegalArgumentException("guidance-rescale belongs to a run with labels");
        if (line.containsKey(Setting.LOSS) && objectiveKind() == Objective.Kind.BOUND)
            throw new IllegalArgumentException("loss measures the error, which the objective bound does not look at");
        boolean asked = line.containsKey(Setting.MIN_SNR) || line.containsKey(Setting.OBJECTIVE);
        if (asked && number(Setting.MIN_SNR) > 0 && objectiveKind() == Objective.Kind.BOUND)
            throw new IllegalArgumentException("min-snr weighs the loss, and the objective bound has none");
    }

    /** Whether it is neither absent, no, nor nothing. */
    private static boolean asksFor(Object value) {
        return value != null && !value.equals(false) && !value.equals(0.0);
    }

    /** A layer that says how long to train replaces whatever the layers below say of it. */
    private static void overlay(Map<Setting, Object> values, Map<Setting, Object> layer) {
        if (layer.containsKey(Setting.STEPS)
                || layer.containsKey(Setting.EPOCHS)
                || layer.containsKey(Setting.MAX_MINUTES)) {
            values.put(Setting.STEPS, 0L);
            values.put(Setting.EPOCHS, 0L);
            values.put(Setting.MAX_MINUTES, 0.0);
        }
        values.putAll(layer);
    }

    private static Setting named(String key) {
        return Setting.of(key)
                .orElseThrow(() -> new IllegalArgumentException(
                        "unknown setting " + key + Spelling.suggestion(key, Setting.keys())));
    }

    /** These settings with one changed. */
    public Settings with(Setting setting, Object value) {
        Map<Setting, Object> changed = new EnumMap<>(values);
        changed.put(setting, setting.fromJson(value));
        return new Settings(changed);
    }

    /** All settings by key, in order, as JSON values. */
    public Map<String, Object> toJson() {
        Map<String, Object> json = new LinkedHashMap<>();
        values.forEach((setting, value) -> json.put(setting.key(), value));
        return json;
    }

    /**
     * What goes into the network and out of it beside x_t, t and the prediction.
     *
     * @param channels of an image
     * @param classes of the data; counts only with {@code labels}
     */
    public Ports ports(int channels, int classes) {
        int given = (selfConditions() ? channels : 0) + (enlarges() ? LowResolution.channels(channels) : 0);
        return new Ports(labels() ? classes : 0, given, learnsVariance());
    }

    /** The U-Net for images of this size. */
    public UNetConfig network(int height, int width, int channels) {
        if (enlarges()) LowResolution.factor(height, width, lowResolution());
        boolean zeroInit = flag(Setting.ZERO_INIT);
        if (values.get(Setting.NETWORK) instanceof Map<?, ?> document && !document.isEmpty())
            return NetworkDocument.read(document, zeroInit).forImages(height, width, channels);
        Topology topology = choice(Setting.TOPOLOGY, Topology.class);
        List<Integer> mults = wholes(Setting.DIM_MULTS);
        int dim = whole(Setting.DIM);
        if (topology == Topology.DDPM) {
            if (choice(Setting.BLOCK, BlockKind.class) != BlockKind.RESNET)
                throw new IllegalArgumentException("the ddpm topology is made of resnet blocks");
            return UNet2DConfig.ddpm(
                    height,
                    width,
                    channels,
                    mults.stream().map(mult -> dim * mult).toList(),
                    whole(Setting.BLOCKS_PER_LEVEL),
                    wholes(Setting.ATTENTION_LEVELS),
                    whole(Setting.GROUPS),
                    number(Setting.DROPOUT),
                    zeroInit);
        }
        if (topology == Topology.LUCIDRAINS) {
            if (choice(Setting.BLOCK, BlockKind.class) != BlockKind.RESNET)
                throw new IllegalArgumentException("the lucidrains topology is made of resnet blocks");
            return LucidrainsConfig.of(height, width, channels, dim, mults, number(Setting.DROPOUT), zeroInit);
        }
        boolean notebook = topology == Topology.NOTEBOOK;
        return new AnnotatedConfig(
                notebook ? AnnotatedConfig.Topology.NOTEBOOK : AnnotatedConfig.Topology.BLOG,
                height,
                width,
                channels,
                notebook ? dim / 3 * 2 : dim,
                dim,
                mults,
                choice(Setting.BLOCK, BlockKind.class),
                whole(Setting.GROUPS),
                2,
                AnnotatedConfig.Norm.IMAGE,
                flag(Setting.SCALE_SHIFT),
                flag(Setting.STANDARDIZED) ? AnnotatedConfig.Filters.STANDARDIZED : AnnotatedConfig.Filters.PLAIN,
                zeroInit,
                number(Setting.DROPOUT));
    }

    /** The network in a few words. */
    public String describeNetwork() {
        if (values.get(Setting.NETWORK) instanceof Map<?, ?> document && !document.isEmpty())
            return document.get("_class_name")
                    + (document.containsKey("_generation") ? " " + document.get("_generation") : "");
        return values.get(Setting.TOPOLOGY) + ", dim " + values.get(Setting.DIM) + ", mults "
                + values.get(Setting.DIM_MULTS);
    }

    public NoiseSchedule schedule() {
        NoiseSchedule schedule = NoiseSchedule.of(scheduleKind(), whole(Setting.TIMESTEPS), betaStart(), betaEnd());
        return zeroSnr() ? schedule.withoutFinalSignal() : schedule;
    }

    /** Whether the schedule is rescaled so that no signal is left at its end. */
    public boolean zeroSnr() {
        return flag(Setting.ZERO_SNR);
    }

    public NoiseSchedule.Kind scheduleKind() {
        return choice(Setting.SCHEDULE, NoiseSchedule.Kind.class);
    }

    public double betaStart() {
        return number(Setting.BETA_START);
    }

    public double betaEnd() {
        return number(Setting.BETA_END);
    }

    /** Everything that decides how much noise there is at which timestep, by key, as JSON values. */
    public Map<String, Object> noise() {
        Map<String, Object> noise = new LinkedHashMap<>();
        for (Setting setting : Setting.OF_NOISE) noise.put(setting.key(), values.get(setting));
        return noise;
    }

    /** What is minimised; its tables join the innermost scope. */
    public Objective objective(GaussianDiffusion diffusion) {
        return new Objective(
                diffusion,
                objectiveKind(),
                target(),
                choice(Setting.LOSS, LossKind.class),
                sampler().variance(),
                number(Setting.MIN_SNR));
    }

    private Objective.Kind objectiveKind() {
        return choice(Setting.OBJECTIVE, Objective.Kind.class);
    }

    private boolean learnsVariance() {
        return sampler().variance() == AncestralSampler.Variance.LEARNED;
    }

    public double offsetNoise() {
        return number(Setting.OFFSET_NOISE);
    }

    public boolean selfConditions() {
        return flag(Setting.SELF_CONDITION);
    }

    /** Whether the network is shown a small picture of what it is to draw. */
    public boolean enlarges() {
        return lowResolution() > 0;
    }

    /** Height of that picture; 0 for none. */
    public int lowResolution() {
        return whole(Setting.LOW_RESOLUTION);
    }

    /** How that picture is shown, for images of this height and width. */
    LowResolution lowResolution(GaussianDiffusion diffusion, int height, int width) {
        return new LowResolution(diffusion, LowResolution.factor(height, width, lowResolution()));
    }

    /** The timestep whose noise it has at most while training. */
    int lowNoiseMax() {
        return timestep(Setting.LOW_NOISE_MAX);
    }

    /** The timestep whose noise it has when images are drawn. */
    int lowNoise() {
        return timestep(Setting.LOW_NOISE);
    }

    private int timestep(Setting part) {
        return (int) Math.round(number(part) * (timesteps() - 1));
    }

    public boolean labels() {
        return flag(Setting.LABELS);
    }

    public double labelDropout() {
        return number(Setting.LABEL_DROPOUT);
    }

    public double guidance() {
        return number(Setting.GUIDANCE);
    }

    public double guidanceRescale() {
        return number(Setting.GUIDANCE_RESCALE);
    }

    TimestepDraw timestepDraw() {
        return new TimestepDraw(choice(Setting.T_SAMPLING, TimestepDraw.Kind.class), timesteps());
    }

    public Target target() {
        return choice(Setting.TARGET, Target.class);
    }

    /** How images are drawn. */
    public SamplerChoice sampler() {
        return new SamplerChoice(
                SamplerChoice.Kind.of((String) values.get(Setting.SAMPLER)),
                whole(Setting.SAMPLING_STEPS),
                number(Setting.ETA),
                choice(Setting.VARIANCE, AncestralSampler.Variance.class),
                choice(Setting.SPACING, Timesteps.Spacing.class));
    }

    public boolean clipStart() {
        return flag(Setting.CLIP_X0);
    }

    /**
     * The learning rate of a run of {@code steps} updates: it rises over the warm-up and then falls over the rest. The
     * warm-up does not depend on the length of the run, which may still be unknown.
     */
    public LearningRate learningRate(long steps) {
        double peak = number(Setting.LR);
        long warmup = (Long) values.get(Setting.WARMUP);
        long rest = Math.max(1, steps - warmup);
        LearningRate falling = switch (choice(Setting.DECAY, Decay.class)) {
            case CONSTANT -> LearningRate.constant(peak);
            case COSINE -> LearningRate.cosine(peak, rest);
            case LINEAR -> LearningRate.linear(peak, rest);
        };
        LearningRate afterWarmup = step -> falling.at(Math.max(0, step - warmup));
        return afterWarmup.warmedUp(warmup);
    }

    public String data() {
        return (String) values.get(Setting.DATA);
    }

    /** Images of the run's kind that it was not trained on, where there are any: Fashion-MNIST's; else its data itself. */
    public Dataset testData(Dataset data) {
        if (!Datasets.isFashion(data.sha256())) return data;
        Dataset test = Datasets.fashionTest();
        boolean fits = test.height() == data.height() && test.width() == data.width();
        return fits && !test.sha256().equals(data.sha256()) ? test : data;
    }

    public int imageSize() {
        return whole(Setting.IMAGE_SIZE);
    }

    public boolean flip() {
        return flag(Setting.FLIP);
    }

    public long steps() {
        return (Long) values.get(Setting.STEPS);
    }

    public long epochs() {
        return (Long) values.get(Setting.EPOCHS);
    }

    public double maxMinutes() {
        return number(Setting.MAX_MINUTES);
    }

    public int batchSize() {
        return whole(Setting.BATCH_SIZE);
    }

    public int accumulate() {
        return whole(Setting.ACCUMULATE);
    }

    public long warmup() {
        return (Long) values.get(Setting.WARMUP);
    }

    public double clip() {
        return number(Setting.CLIP);
    }

    public double ema() {
        return number(Setting.EMA);
    }

    public int timesteps() {
        return whole(Setting.TIMESTEPS);
    }

    public long seed() {
        return (Long) values.get(Setting.SEED);
    }

    public int samples() {
        return whole(Setting.SAMPLES);
    }

    public long sampleEvery() {
        return (Long) values.get(Setting.SAMPLE_EVERY);
    }

    public long saveEvery() {
        return (Long) values.get(Setting.SAVE_EVERY);
    }

    public int keep() {
        return whole(Setting.KEEP);
    }

    public String preset() {
        return (String) values.get(Setting.PRESET);
    }

    private int whole(Setting setting) {
        return Math.toIntExact((Long) values.get(setting));
    }

    private double number(Setting setting) {
        return (Double) values.get(setting);
    }

    private boolean flag(Setting setting) {
        return (Boolean) values.get(setting);
    }

    private List<Integer> wholes(Setting setting) {
        return ((List<?>) values.get(setting))
                .stream().map(v -> Math.toIntExact((Long) v)).toList();
    }

    private <E extends Enum<E>> E choice(Setting setting, Class<E> type) {
        return constant(type, (String) values.get(setting));
    }

    private static <E extends Enum<E>> E constant(Class<E> type, String word) {
        return Enum.valueOf(type, word.toUpperCase(Locale.ROOT).replace('-', '_'));
    }

    @Override
    public boolean equals(Object other) {
        return other instanceof Settings settings && values.equals(settings.values);
    }

    @Override
    public int hashCode() {
        return values.hashCode();
    }
}
