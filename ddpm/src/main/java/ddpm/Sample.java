package ddpm;

import ddpm.diffusion.GaussianDiffusion;
import ddpm.diffusion.SamplerChoice;
import ddpm.evaluate.ClassifierFile;
import ddpm.report.AnimatedGif;
import ddpm.report.HalfBlocks;
import ddpm.report.ImageGrid;
import ddpm.report.Picture;
import ddpm.report.ProgressLine;
import ddpm.train.Checkpoint;
import ddpm.train.Interrupts;
import ddpm.train.RunFolder;
import ddpm.train.Sampling;
import ddpm.train.Setting;
import ddpm.train.Settings;
import ddpm.unet.UNet;
import ddpm.unet.UNetConfig;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import tensor.DType;
import tensor.backend.Backend;
import tensor.memory.Scope;

/** Draws images with a trained model: {@code -Dexec.mainClass=ddpm.Sample -Dexec.args="runs/NAME -n 64"}. */
@Command(
        name = "ddpm.Sample",
        sortOptions = false,
        usageHelpAutoWidth = true,
        description =
                "Draws images with a trained model. Network and schedule come from the config.json beside the weights.")
public final class Sample extends Program {
    /** Which weights. */
    enum Weights {
        ema,
        raw
    }

    /** Columns of a strip, and rows at most. */
    private static final int STRIP = 8;

    /** Between the seeds of the models of a cascade. */
    private static final long STAGE_STREAM = 1L << 32;

    @Parameters(paramLabel = "RUN|FILE", description = "folder of a run or of a checkpoint, or a .safetensors file")
    private Path model;

    @Option(
            names = "--then",
            paramLabel = "RUN|FILE",
            description = "a run with --low-resolution, which enlarges these images; once more for yet larger ones")
    private List<Path> then = new ArrayList<>();

    @Option(names = "-n", paramLabel = "N", defaultValue = "16", description = "how many images (default: 16)")
    private int count;

    @Option(
            names = "--seed",
            paramLabel = "N",
            defaultValue = "0",
            description = "start of the random stream (default: 0)")
    private long seed;

    @Option(
            names = "--weights",
            paramLabel = "ema|raw",
            defaultValue = "ema",
            description = "averaged weights, where the run has any, or those of the last step (default: ema)")
    private Weights weights;

    @Option(
            names = "--out",
            paramLabel = "FILE",
            defaultValue = "grid.png",
            description = "the grid (default: grid.png)")
    private Path out;

    @Option(
            names = "--strip",
            paramLabel = "FILE",
            description =
                    "the images as they are foreseen (x0) in eight steps on the way, a row for each of the first 8")
    private Path strip;

    @Option(names = "--gif", paramLabel = "FILE", description = "a film of the denoising")
    private Path gif;

    @Option(
            names = "--sampler",
            paramLabel = "NAME",
            description = "ddpm, ddim, dpm++ or heun (default: the run's setting, ddpm unless changed)")
    private String sampler;

    @Option(
            names = "--sampling-steps",
            paramLabel = "N",
            description = "timesteps that it visits; 0: all. heun looks twice in each (default: the run's setting)")
    private String samplingSteps;

    @Option(
            names = "--eta",
            paramLabel = "E",
            description = "noise that ddim adds back, 0: none, 1: as much as ddpm (default: the run's setting)")
    private String eta;

    @Option(
            names = "--label",
            paramLabel = "K",
            description =
                    "class that the images show, for a run with --labels or a classifier (default: each class in turn)")
    private Integer label;

    @Option(
            names = "--classifier",
            paramLabel = "FILE",
            description =
                    "of ddpm.TrainClassifier --noisy RUN: pulls the images towards the label, S = --guidance; the run need"
                            + " not know labels")
    private Path classifier;

    @Option(
            names = "--guidance",
            paramLabel = "S",
            description = "how far to follow the label: 1: just the label, 3: markedly (default: the run's setting)")
    private String guidance;

    @Option(
            names = "--low-noise",
            paramLabel = "PART",
            description =
                    "noise on the small pictures that are enlarged, as a part of the way to pure noise (default: the run's"
                            + " setting)")
    private String lowNoise;

    @Option(
            names = "--guidance-rescale",
            paramLabel = "R",
            description = "share of guided contrast brought back to normal (default: the run's setting)")
    private String guidanceRescale;

    public static void main(String[] args) {
        Program.main(new Sample(), args);
    }

    /**
     * One model of a cascade.
     *
     * @param name as it was given
     */
    private record Stage(Path name, Checkpoint.Model found, Settings settings, UNetConfig network) {}

    @Override
    public Integer call() throws IOException {
        if (count < 1 || count > 10_000) throw new Failure(Failure.USAGE, "-n needs 1..10000 images, not " + count);
        checkEnding("--out", out, ".png");
        checkEnding("--strip", strip, ".png");
        checkEnding("--gif", gif, ".gif");
        checkLabel(label);
        List<Stage> stages = new ArrayList<>(List.of(stage(model)));
        for (Path next : then) stages.add(stage(next));
        checkOptions(stages);
        checkSizes(stages);
        Interrupts interrupts = Interrupts.listen(() -> System.err.println("\nstopping"));
        try (Backend backend = openBackend()) {
            long begin = System.nanoTime();
            float[] pixels = null;
            for (int k = 0; k < stages.size(); k++)
                try (Scope root = Scope.open("sample")) {
                    pixels = draw(stages.get(k), k, pixels, k == stages.size() - 1, backend, interrupts);
                }
            Picture grid = grid(pixels, stages.get(stages.size() - 1).network);
            grid.writePng(out);
            say(String.format(
                    Locale.ROOT,
                    "saved     %s: %d images in %.1f s%s",
                    out.toAbsolutePath(),
                    count,
                    (System.nanoTime() - begin) * 1e-9,
                    gif == null ? "" : ", and " + gif));
            if (!quiet && System.console() != null && System.getenv("NO_COLOR") == null)
                System.out.print(HalfBlocks.of(grid, 76));
        }
        return 0;
    }

    private Stage stage(Path path) throws IOException {
        Checkpoint.Model found = Checkpoint.find(path, weights == Weights.ema);
        Map<String, Object> kept = RunFolder.settingsOf(found.config());
        Settings settings = Settings.of(kept, options(Settings.of(kept, Map.of())));
        int[] image = RunFolder.imageOf(path, found.config());
        return new Stage(path, found, settings, settings.network(image[0], image[1], image[2]));
    }

    private void checkOptions(List<Stage> stages) {
        for (Stage stage : stages)
            if (eta != null && stage.settings.sampler().kind() != SamplerChoice.Kind.DDIM)
                throw new Failure(
                        Failure.USAGE,
                        "--eta belongs to --sampler ddim, not to "
                                + stage.settings.sampler().kind().word());
        refuse(then.isEmpty(), "--then", "--low-noise");
        boolean labels = stages.stream().anyMatch(stage -> stage.settings.labels());
        if (guidance != null && !labels && classifier == null)
            throw new Failure(
                    Failure.USAGE,
                    "--guidance follows a label, but this run was trained without --labels and there is no --classifier");
        if (guidanceRescale != null && (!labels || classifier != null))
            throw new Failure(
                    Failure.USAGE, "--guidance-rescale belongs to a run with --labels that is guided by itself");
    }

    /** The first model draws from noise alone, every further one enlarges what the one before has drawn. */
    private static void checkSizes(List<Stage> stages) {
        Stage first = stages.get(0);
        if (first.settings.enlarges()) throw new Failure(Failure.USAGE, first.name + ": " + ENLARGES);
        for (int k = 1; k < stages.size(); k++) {
            Stage stage = stages.get(k);
            UNetConfig drawn = stages.get(k - 1).network;
            UNetConfig network = stage.network;
            if (!stage.settings.enlarges())
                throw new Failure(
                        Failure.USAGE,
                        "--then needs runs with a --low-resolution; " + stage.name + " draws from noise alone");
            int height = stage.settings.lowResolution();
            int width = network.width() / (network.height() / height);
            if (height != drawn.height() || width != drawn.width() || network.channels() != drawn.channels())
                throw new Failure(
                        Failure.USAGE,
                        String.format(
                                Locale.ROOT,
                                "%s enlarges pictures of %dx%dx%d, but %s draws %dx%dx%d",
                                stage.name,
                                height,
                                width,
                                network.channels(),
                                stages.get(k - 1).name,
                                drawn.height(),
                                drawn.width(),
                                drawn.channels()));
        }
    }

    /**
     * Draws with one model.
     *
     * @param k its place in the cascade; each has noise of its own
     * @param small what it enlarges; {@code null} for the first
     * @param last whether this is what the film and the strip show
     */
    private float[] draw(Stage stage, int k, float[] small, boolean last, Backend backend, Interrupts interrupts)
            throws IOException {
        Settings settings = stage.settings;
        UNetConfig network = stage.network;
        UNet unet = load(stage.found, settings, backend);
        GaussianDiffusion diffusion = new GaussianDiffusion(settings.schedule(), backend, DType.F32);
        boolean labelled = label != null && (k == 0 || settings.labels());
        Sampling alone = new Sampling(settings, diffusion, backend, network, labelled ? label : Sampling.EACH);
        Sampling sampling = small != null
                ? alone.enlarging(small)
                : classifier == null
                        ? alone
                        : alone.guided(ClassifierFile.loadNoisy(classifier, settings, network, backend));
        List<Picture> film = new ArrayList<>();
        List<float[]> foreseen = new ArrayList<>();
        ProgressLine progress = ProgressLine.onStandardOutput();
        int steps = sampling.steps();
        long all = (long) sampling.batches(count) * steps;
        int every = Math.max(1, steps / 40);
        say("sampler   " + settings.sampler().kind().word() + ", " + steps + " of " + settings.timesteps()
                + " timesteps");
        float[] pixels = sampling.draw(
                unet,
                count,
                seed + k * STAGE_STREAM,
                (batch, done, x, start) -> {
                    long passed = (long) batch * steps + done;
                    if (!quiet && passed > 0) progress.update(passed, all, passed, "sampling");
                    if (!last || batch > 0) return;
                    if (strip != null && done > 0 && stripShows(done, steps)) foreseen.add(start.get());
                    if (gif != null && (done % every == 0 || done == steps)) film.add(grid(x.get(), network));
                },
                interrupts);
        progress.clear();
        if (last && strip != null) strip(foreseen, network).writePng(strip);
        if (last && gif != null) AnimatedGif.write(gif, film, 60, 2000);
        return pixels;
    }

    /** What the command line says about sampling and concerns this run, as settings over its own. */
    private Map<String, String> options(Settings run) {
        Map<String, String> options = new HashMap<>();
        if (sampler != null) options.put(Setting.SAMPLER.key(), sampler);
        if (samplingSteps != null) options.put(Setting.SAMPLING_STEPS.key(), samplingSteps);
        if (eta != null) options.put(Setting.ETA.key(), eta);
        if (guidance != null) options.put(Setting.GUIDANCE.key(), guidance);
        if (lowNoise != null && run.enlarges()) options.put(Setting.LOW_NOISE.key(), lowNoise);
        if (guidanceRescale != null && run.labels()) options.put(Setting.GUIDANCE_RESCALE.key(), guidanceRescale);
        return options;
    }

    /** Whether a step is one of the eight of a strip, which are at equal distances and end with the last. */
    private static boolean stripShows(int done, int steps) {
        return (long) done * STRIP / steps != (done - 1L) * STRIP / steps;
    }

    /** Rows of images, columns of time. */
    private static Picture strip(List<float[]> foreseen, UNetConfig network) {
        int values = network.height() * network.width() * network.channels();
        int images = Math.min(STRIP, foreseen.get(0).length / values);
        List<Picture> pictures = new ArrayList<>();
        for (int k = 0; k < images; k++)
            for (float[] batch : foreseen)
                pictures.add(Picture.of(batch, k, network.height(), network.width(), network.channels()));
        return ImageGrid.rows(pictures, foreseen.size());
    }

    private static Picture grid(float[] pixels, UNetConfig network) {
        return ImageGrid.square(ImageGrid.split(pixels, network.height(), network.width(), network.channels()));
    }
}
