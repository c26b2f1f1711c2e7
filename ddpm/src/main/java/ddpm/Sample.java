package ddpm;

import ddpm.diffusion.GaussianDiffusion;
import ddpm.diffusion.SamplerChoice;
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
import java.util.Map;
import nn.Init;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import tensor.DType;
import tensor.Rng;
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

    @Parameters(paramLabel = "RUN|FILE", description = "folder of a run or of a checkpoint, or a .safetensors file")
    private Path model;

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
            description = "class that the images show, for a run with --labels (default: each class in turn)")
    private Integer label;

    @Option(
            names = "--guidance",
            paramLabel = "S",
            description = "how far to follow the label: 1: just the label, 3: markedly (default: the run's setting)")
    private String guidance;

    @Option(
            names = "--guidance-rescale",
            paramLabel = "R",
            description = "share of guided contrast brought back to normal (default: the run's setting)")
    private String guidanceRescale;

    public static void main(String[] args) {
        Program.main(new Sample(), args);
    }

    @Override
    public Integer call() throws IOException {
        if (count < 1 || count > 10_000) throw new Failure(Failure.USAGE, "-n needs 1..10000 images, not " + count);
        Checkpoint.Model found = Checkpoint.find(model, weights == Weights.ema);
        Settings settings = Settings.of(RunFolder.settingsOf(found.config()), options());
        if (eta != null && settings.sampler().kind() != SamplerChoice.Kind.DDIM)
            throw new Failure(
                    Failure.USAGE,
                    "--eta belongs to --sampler ddim, not to "
                            + settings.sampler().kind().word());
        if ((guidance != null || guidanceRescale != null) && !settings.labels())
            throw new Failure(Failure.USAGE, "--guidance follows a label, but this run was trained without --labels");
        int[] image = RunFolder.imageOf(model, found.config());
        UNetConfig network = settings.network(image[0], image[1], image[2]);
        Interrupts interrupts = Interrupts.listen(() -> System.err.println("\nstopping"));
        try (Backend backend = openBackend();
                Scope root = Scope.open("sample")) {
            Rng unused = new Rng(0);
            UNet unet = UNet.build(
                    network,
                    settings.ports(image[2], RunFolder.classesOf(found.config())),
                    Init.pytorch(backend, DType.F32, unused).with(Init.Rule.ZERO),
                    () -> unused);
            Checkpoint.load(found.weights(), unet.parameters());
            say("weights   " + found.weights());
            GaussianDiffusion diffusion = new GaussianDiffusion(settings.schedule(), backend, DType.F32);
            List<Picture> film = new ArrayList<>();
            List<float[]> foreseen = new ArrayList<>();
            ProgressLine progress = ProgressLine.onStandardOutput();
            Sampling sampling =
                    new Sampling(settings, diffusion, backend, network, label == null ? Sampling.EACH : label);
            int steps = sampling.steps();
            int every = Math.max(1, steps / 40);
            say("sampler   " + settings.sampler().kind().word() + ", " + steps + " of " + settings.timesteps()
                    + " timesteps");
            long begin = System.nanoTime();
            float[] pixels = sampling.draw(
                    unet,
                    count,
                    seed,
                    (done, x, start) -> {
                        if (!quiet && done > 0) progress.update(done, steps, done, "sampling");
                        if (strip != null && done > 0 && stripShows(done, steps)) foreseen.add(start);
                        if (gif != null && (done % every == 0 || done == steps)) film.add(grid(x, network));
                    },
                    interrupts);
            progress.clear();
            if (strip != null) strip(foreseen, network).writePng(strip);
            Picture grid = grid(pixels, network);
            grid.writePng(out);
            if (gif != null) AnimatedGif.write(gif, film, 60, 2000);
            say(String.format(
                    java.util.Locale.ROOT,
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

    /** What the command line says about sampling, as settings over those of the run. */
    private Map<String, String> options() {
        Map<String, String> options = new HashMap<>();
        if (sampler != null) options.put(Setting.SAMPLER.key(), sampler);
        if (samplingSteps != null) options.put(Setting.SAMPLING_STEPS.key(), samplingSteps);
        if (eta != null) options.put(Setting.ETA.key(), eta);
        if (guidance != null) options.put(Setting.GUIDANCE.key(), guidance);
        if (guidanceRescale != null) options.put(Setting.GUIDANCE_RESCALE.key(), guidanceRescale);
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
