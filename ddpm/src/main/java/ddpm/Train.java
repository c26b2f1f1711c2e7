package ddpm;

import datasets.Dataset;
import datasets.Datasets;
import ddpm.io.CheckpointException;
import ddpm.train.Checkpoint;
import ddpm.train.Interrupts;
import ddpm.train.RunFolder;
import ddpm.train.RunOutput;
import ddpm.train.Setting;
import ddpm.train.Settings;
import ddpm.train.Trainer;
import ddpm.train.Training;
import java.io.IOException;
import java.nio.file.Path;
import java.time.OffsetDateTime;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.OptionSpec;
import picocli.CommandLine.Option;
import tensor.backend.Backend;
import tensor.backend.Precision;
import tensor.memory.Scope;

/** Trains a diffusion model: {@code mvn compile exec:java -Dexec.mainClass=ddpm.Train}. */
@Command(
        name = "ddpm.Train",
        sortOptions = false,
        usageHelpAutoWidth = true,
        description = "Trains a denoising diffusion model and leaves a run's folder with samples and a report.")
public final class Train extends Program {
    /** Counted early: when a backend has placed this thread, Java counts only the cores that are left to it. */
    private static final int PROCESSORS = Runtime.getRuntime().availableProcessors();

    /** Settings that may differ when a run goes on: how long, and what it leaves behind. */
    private static final Set<Setting> FREE = EnumSet.of(
            Setting.STEPS,
            Setting.EPOCHS,
            Setting.MAX_MINUTES,
            Setting.SAMPLER,
            Setting.LOW_NOISE,
            Setting.GUIDANCE,
            Setting.GUIDANCE_RESCALE,
            Setting.SAMPLING_STEPS,
            Setting.ETA,
            Setting.SAMPLES,
            Setting.SAMPLE_EVERY,
            Setting.SAVE_EVERY,
            Setting.KEEP);

    private static final Set<Setting> LENGTH = EnumSet.of(Setting.STEPS, Setting.EPOCHS, Setting.MAX_MINUTES);

    /** Keys of facts: the precision that was asked for, the command line, when it was given, and when others were. */
    private static final String PRECISION = "precision";

    private static final String OPTIONS = "options";
    private static final String STARTED = "started";
    private static final String RESUMED = "resumed";

    @Option(names = "--config", paramLabel = "FILE", description = "settings from a file, such as a run's config.json")
    private Path configFile;

    @Option(names = "--download", description = "fetch the data from its publisher when it is not on this machine")
    private boolean download;

    @Option(names = "--name", paramLabel = "NAME", description = "name of the run's folder")
    private String name;

    @Option(
            names = "--out",
            paramLabel = "FOLDER",
            defaultValue = "runs",
            description = "where runs lie (default: runs)")
    private Path out;

    @Option(
            names = "--resume",
            paramLabel = "RUN",
            arity = "0..1",
            fallbackValue = "",
            description = "go on with a run, exactly where its last checkpoint was taken; without a name, the newest")
    private String resume;

    @Option(names = "--init", paramLabel = "RUN|FILE", description = "start from these weights instead of random ones")
    private Path init;

    @Option(
            names = "--dry-run",
            description = "print settings, sizes, time and memory, measured over a few steps; then stop")
    private boolean dryRun;

    private final Map<String, String> options = new LinkedHashMap<>();
    private final String usualData;

    public Train() {
        this(System.getenv(Datasets.ENVIRONMENT));
    }

    /** With what stands in for {@code --data}, or {@code null}. */
    Train(String usualData) {
        this.usualData = usualData;
    }

    public static void main(String[] args) {
        Program.main(new Train(), args);
    }

    /** Every {@link Setting} is an option. */
    @Override
    void addOptions() {
        for (Setting setting : Setting.values())
            spec.addOption(OptionSpec.builder("--" + setting.key())
                    .paramLabel(setting.isFlag() ? "true|false" : "VALUE")
                    .type(String.class)
                    .arity(setting.isFlag() ? "0..1" : "1")
                    .fallbackValue(setting.isFlag() ? "true" : "")
                    .description(setting.help().replace("%", "%%")) // picocli formats it
                    .build());
    }

    @Override
    public Integer call() throws IOException {
        for (Setting setting : Setting.values()) {
            String given = spec.findOption("--" + setting.key()).getValue();
            if (given != null) options.put(setting.key(), given);
        }
        return resume == null ? start() : goOn();
    }

    private int start() throws IOException {
        Map<String, Object> file = new LinkedHashMap<>(
                configFile == null ? Map.of() : RunFolder.settingsOf(RunFolder.readConfig(configFile)));
        Checkpoint.Model start = init == null ? null : Checkpoint.find(init, true);
        if (start != null && start.foreign()) file.putAll(RunFolder.settingsOf(start.config()));
        if (usualData != null && !usualData.isBlank() && !file.containsKey(Setting.DATA.key()))
            options.putIfAbsent(Setting.DATA.key(), usualData);
        Settings settings = Settings.of(file, options);
        Dataset data = Datasets.open(settings.data(), settings.imageSize(), download, this::say);
        try (Backend backend = openBackend();
                Scope root = Scope.open("train");
                Training training = new Training(settings, data, backend)) {
            if (start != null) training.initialise(start.weights());
            introduce(training, data);
            if (dryRun) return measure(training);
            RunFolder.newest(out)
                    .filter(run -> init == null && configFile == null && isUnfinished(run))
                    .ifPresent(run -> say("note      the run " + run + " is unfinished; --resume "
                            + RunFolder.argument(run) + " goes on with it"));
            try (RunFolder folder = RunFolder.create(out, name, data.name())) {
                return train(folder, training, data, about(training, data, Map.of()), 0);
            }
        }
    }

    private static boolean isUnfinished(Path run) {
        return !run.resolve("final.png").toFile().exists();
    }

    private int goOn() throws IOException {
        if (init != null || configFile != null || name != null)
            throw new Failure(
                    Failure.USAGE, "--resume takes everything from the run: leave out --init, --config, --name");
        Path path = resume.isEmpty()
                ? RunFolder.newest(out)
                        .orElseThrow(() -> new CheckpointException(out, "there is no run to resume here"))
                : Path.of(resume);
        try (RunFolder folder = RunFolder.open(path)) {
            Path config = path.resolve(Checkpoint.CONFIG);
            Map<String, Object> kept = RunFolder.readConfig(config);
            for (Setting setting : Setting.values())
                if (options.containsKey(setting.key()) && !FREE.contains(setting))
                    throw new Failure(
                            Failure.USAGE, "--" + setting.key() + " cannot change when a run goes on; start a new one");
            Settings settings = Settings.of(RunFolder.settingsOf(kept), options);
            Dataset data = Datasets.open(settings.data(), settings.imageSize(), download, this::say);
            RunFolder.requireSame(config, kept, data);
            Map<?, ?> before = RunFolder.about(kept);
            try (Backend backend = openBackend(askedFor(config, before.get(PRECISION)));
                    Scope root = Scope.open("train");
                    Training training = new Training(settings, data, backend)) {
                Path checkpoint = folder.checkpoints()
                        .latest()
                        .orElseThrow(() -> new CheckpointException(path, "there is no checkpoint to resume from"));
                long planned = Checkpoint.restore(checkpoint, training);
                introduce(training, data);
                if (dryRun) return measure(training);
                say("resume    " + checkpoint);
                boolean open = planned == 0 || LENGTH.stream().anyMatch(s -> options.containsKey(s.key()));
                return train(folder, training, data, about(training, data, before), open ? 0 : settings.steps());
            }
        }
    }

    /** The precision that a run was begun with; {@code null} where that was left to the backend. */
    private static Precision askedFor(Path config, Object name) {
        if (name == null) return null;
        return Precision.named(name.toString())
                .orElseThrow(
                        () -> new CheckpointException(config, "about.precision is fp32, tf32 or bf16, not " + name));
    }

    /** The backend, in the precision that the run was begun in unless the command line names another; not slowly for that. */
    private Backend openBackend(Precision begun) {
        if (precision != null || begun == null) return openBackend();
        precision = begun;
        String other = "; the run was begun in it, and --precision fp32 goes on in another";
        Backend found;
        try {
            found = openBackend();
        } catch (Failure e) {
            throw new Failure(Failure.BACKEND, e.getMessage() + other, e);
        }
        if (!backend.equals("auto") || !found.name().equals("reference")) return found;
        found.close();
        throw new Failure(Failure.BACKEND, "only the slow reference computes in " + begun + " here" + other);
    }

    /**
     * Trains to the end of the run.
     *
     * @param about the facts of the run
     * @param planned number of steps of the whole run, where it is known
     */
    private int train(RunFolder folder, Training training, Dataset data, Map<String, Object> about, long planned)
            throws IOException {
        say("run       " + folder.path() + "   (Ctrl-C saves and stops)");
        Interrupts interrupts = Interrupts.listen(
                () -> System.err.println("\nstopping after this step; Ctrl-C again ends at once without saving"));
        try (RunOutput output = new RunOutput(folder, training, data, about, interrupts, quiet)) {
            double sampling = planned == 0 && training.settings().maxMinutes() > 0 ? output.estimateSampling() : 0;
            long steps = new Trainer(training, output, interrupts).run(planned, sampling);
            if (training.step() < steps) throw stopped(folder, training);
            try {
                output.finish();
            } catch (Interrupts.Stop e) {
                throw stopped(folder, training);
            }
        }
        say("  " + folder.path() + "/final.png  denoise.gif  report.html");
        say("next      more images:  mvn -q exec:java -Dexec.mainClass=ddpm.Sample -Dexec.args=\""
                + RunFolder.argument(folder.path()) + " -n 64\"");
        return 0;
    }

    private static Failure stopped(RunFolder folder, Training training) {
        return new Failure(
                Interrupts.EXIT_CODE,
                "stopped at step " + training.step() + ", which is saved; go on with --resume "
                        + RunFolder.argument(folder.path()));
    }

    private void introduce(Training training, Dataset data) {
        Settings s = training.settings();
        say("data      " + data.description());
        say(String.format(
                Locale.ROOT,
                "model     U-Net %s, %.2f M parameters",
                s.describeNetwork(),
                training.unet().parameterCount() / 1e6));
        say("settings  preset " + s.preset() + ", T " + s.timesteps() + " "
                + s.toJson().get("schedule") + ", loss "
                + s.toJson().get("loss") + ", batch " + s.batchSize() + ", lr "
                + s.toJson().get("lr") + ", ema " + s.ema()
                + ", seed " + s.seed() + ", " + training.backend().precision());
        if (s.schedule().keepsSignal())
            say(String.format(
                    Locale.ROOT,
                    "note      this schedule keeps %.1f %% of the signal at the last step (alphaBar_T above 0.01), but"
                            + " sampling starts from pure noise; --schedule cosine or linear-scaled does not",
                    100 * s.schedule().alphaBar(s.timesteps() - 1)));
    }

    /** A few steps on a state that is then thrown away. */
    private int measure(Training training) {
        Settings s = training.settings();
        s.toJson().forEach((key, value) -> say("  " + key + " = " + value));
        double seconds = 0;
        for (int i = 0; i < 6; i++) {
            long begin = System.nanoTime();
            training.step(s.learningRate(Long.MAX_VALUE), true);
            seconds = (System.nanoTime() - begin) * 1e-9;
        }
        long steps = s.steps() > 0 ? s.steps() : s.epochs() * training.stepsPerEpoch();
        String length = steps == 0
                ? "as many steps as fit into " + s.maxMinutes() + " minutes"
                : steps + String.format(Locale.ROOT, " steps, about %.1f minutes", steps * seconds / 60);
        say(String.format(
                Locale.ROOT,
                "estimate  %.0f ms a step, %.0f images/s, %s; tensors take at most %d MiB",
                1000 * seconds,
                s.batchSize() * s.accumulate() / seconds,
                length,
                training.backend().memory().peak() >> 20));
        return 0;
    }

    /**
     * The facts of a run.
     *
     * @param before those of a run that goes on
     */
    private Map<String, Object> about(Training training, Dataset data, Map<?, ?> before) {
        Map<String, Object> about = new LinkedHashMap<>();
        about.put(RunFolder.DATA, data.description());
        about.put(RunFolder.SHA256, data.sha256());
        about.put("image", List.of((long) data.height(), (long) data.width(), (long) data.channels()));
        if (training.settings().labels())
            about.put(RunFolder.CLASSES, (long) training.unet().ports().classes());
        about.put("parameters", training.unet().parameterCount());
        about.put(
                "backend", training.backend().name() + ", " + training.backend().description());
        about.put("java", System.getProperty("java.vendor") + " " + Runtime.version());
        about.put(
                "system",
                System.getProperty("os.name") + " " + System.getProperty("os.version") + ", " + PROCESSORS
                        + " processors");
        if (precision != null) about.put(PRECISION, precision.toString());
        List<Object> given = new ArrayList<>();
        options.forEach((key, value) -> given.add("--" + key + " " + value));
        String now = OffsetDateTime.now().withNano(0).toString();
        about.put(OPTIONS, before.get(OPTIONS) instanceof List<?> first ? first : given);
        about.put(STARTED, before.get(STARTED) instanceof String first ? first : now);
        if (before.isEmpty()) return about;
        List<Object> resumed = new ArrayList<>(before.get(RESUMED) instanceof List<?> earlier ? earlier : List.of());
        resumed.add(now + given.stream().map(option -> " " + option).collect(Collectors.joining()));
        about.put(RESUMED, resumed);
        return about;
    }
}
