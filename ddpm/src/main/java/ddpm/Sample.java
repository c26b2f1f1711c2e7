package ddpm;

import ddpm.diffusion.GaussianDiffusion;
import ddpm.report.AnimatedGif;
import ddpm.report.HalfBlocks;
import ddpm.report.ImageGrid;
import ddpm.report.Picture;
import ddpm.report.ProgressLine;
import ddpm.train.Checkpoint;
import ddpm.train.Interrupts;
import ddpm.train.RunFolder;
import ddpm.train.Sampling;
import ddpm.train.Settings;
import ddpm.unet.UNet;
import ddpm.unet.UNetConfig;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
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

    @Option(names = "--gif", paramLabel = "FILE", description = "a film of the denoising")
    private Path gif;

    public static void main(String[] args) {
        Program.main(new Sample(), args);
    }

    @Override
    public Integer call() throws IOException {
        if (count < 1 || count > 10_000) throw new Failure(Failure.USAGE, "-n needs 1..10000 images, not " + count);
        Checkpoint.Model found = Checkpoint.find(model, weights == Weights.ema);
        Settings settings = Settings.of(RunFolder.settingsOf(found.config()), Map.of());
        int[] image = RunFolder.imageOf(model, found.config());
        UNetConfig network = settings.network(image[0], image[1], image[2]);
        Interrupts interrupts = Interrupts.listen(() -> System.err.println("\nstopping"));
        try (Backend backend = openBackend();
                Scope root = Scope.open("sample")) {
            Rng unused = new Rng(0);
            UNet unet =
                    UNet.build(network, Init.pytorch(backend, DType.F32, unused).with(Init.Rule.ZERO), () -> unused);
            Checkpoint.load(found.weights(), unet.parameters());
            say("weights   " + found.weights());
            GaussianDiffusion diffusion = new GaussianDiffusion(settings.schedule(), backend, DType.F32);
            List<Picture> film = new ArrayList<>();
            ProgressLine progress = ProgressLine.onStandardOutput();
            int every = Math.max(1, settings.timesteps() / 40);
            long begin = System.nanoTime();
            float[] pixels = new Sampling(settings, diffusion, backend, network)
                    .draw(
                            unet,
                            count,
                            seed,
                            (t, x) -> {
                                int done = settings.timesteps() - t;
                                if (!quiet && done > 0) progress.update(done, settings.timesteps(), done, "sampling");
                                if (gif != null && t % every == 0) film.add(grid(x, network));
                            },
                            interrupts);
            progress.clear();
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

    private static Picture grid(float[] pixels, UNetConfig network) {
        return ImageGrid.square(ImageGrid.split(pixels, network.height(), network.width(), network.channels()));
    }
}
