package ddpm;

import ddpm.diffusion.AncestralSampler;
import ddpm.exchange.ForeignFolder;
import ddpm.exchange.ForeignFolder.Format;
import ddpm.exchange.ForeignFolder.Process;
import ddpm.train.Checkpoint;
import ddpm.train.RunFolder;
import ddpm.train.Settings;
import ddpm.unet.Ports;
import ddpm.unet.UNet;
import ddpm.unet.UNetConfig;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Locale;
import java.util.Map;
import nn.Init;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import tensor.DType;
import tensor.Rng;
import tensor.backend.Backend;
import tensor.memory.Scope;

/** Writes a model for PyTorch: {@code -Dexec.mainClass=ddpm.Export -Dexec.args="runs/NAME --format diffusers"}. */
@Command(
        name = "ddpm.Export",
        sortOptions = false,
        usageHelpAutoWidth = true,
        description =
                "Writes a trained model as a folder that the classes of PyTorch projects load with no further code.")
public final class Export extends Program {
    @Parameters(paramLabel = "RUN|FILE", description = "folder of a run or of a checkpoint, or a .safetensors file")
    private Path model;

    @Option(
            names = "--format",
            paramLabel = "NAME",
            required = true,
            description = "diffusers, annotated or lucidrains")
    private String format;

    @Option(
            names = "--weights",
            paramLabel = "ema|raw",
            defaultValue = "ema",
            description = "averaged weights, where the run has any, or those of the last step (default: ema)")
    private Sample.Weights weights;

    @Option(names = "--out", paramLabel = "FOLDER", description = "a new folder (default: export/FORMAT in the run)")
    private Path out;

    public static void main(String[] args) {
        Program.main(new Export(), args);
    }

    @Override
    public Integer call() throws IOException {
        Format chosen = Arrays.stream(Format.values())
                .filter(f -> f.name().toLowerCase(Locale.ROOT).equals(format))
                .findFirst()
                .orElseThrow(() -> new Failure(
                        Failure.USAGE,
                        "--format needs one of "
                                + Arrays.toString(Format.values()).toLowerCase(Locale.ROOT) + ", not " + format));
        Checkpoint.Model found = Checkpoint.find(model, weights == Sample.Weights.ema);
        Settings s = Settings.of(RunFolder.settingsOf(found.config()), Map.of());
        int[] image = RunFolder.imageOf(model, found.config());
        UNetConfig network = s.network(image[0], image[1], image[2]);
        if (!s.ports(image[2], RunFolder.classesOf(model, found.config())).equals(Ports.PLAIN))
            throw new Failure(
                    Failure.USAGE,
                    "this run's network is told labels or an image, or says variances, and the classes of --format "
                            + format + " do neither in the same way: it cannot be exported");
        Process process = new Process(
                s.scheduleKind(),
                s.timesteps(),
                s.betaStart(),
                s.betaEnd(),
                s.target(),
                s.sampler().variance(),
                s.sampler().spacing(),
                s.clipStart(),
                s.zeroSnr());
        Path folder = out != null ? out : home(found).resolve("export").resolve(format);
        try (Backend backend = openBackend();
                Scope root = Scope.open("export")) {
            Rng unused = new Rng(0);
            UNet unet =
                    UNet.build(network, Init.pytorch(backend, DType.F32, unused).with(Init.Rule.ZERO), () -> unused);
            Checkpoint.load(found.weights(), unet.parameters());
            ForeignFolder.write(chosen, network, process, Checkpoint.weights(unet, null), folder);
            say("weights   " + found.weights());
            if (chosen != Format.DIFFUSERS && process.variance() == AncestralSampler.Variance.FIXED_LARGE)
                say(
                        "note      the class of this format draws with the variance fixed-small, this run with fixed-large");
            if (chosen == Format.LUCIDRAINS && !process.clip())
                say("note      the class of this format limits x0 when it draws, this run does not");
            say("saved     " + folder.toAbsolutePath() + ": " + unet.parameterCount() + " parameters");
        }
        return 0;
    }

    /** The folder of the model; of a checkpoint that of its run, which deletes old checkpoints with all that lies in them. */
    private Path home(Checkpoint.Model found) throws IOException {
        Path folder = (Files.isDirectory(model) ? model : model.toAbsolutePath().getParent()).toRealPath();
        Path parent = folder.getParent();
        boolean kept = !found.foreign() && parent != null && parent.endsWith(RunFolder.CHECKPOINTS);
        return kept && Files.exists(parent.resolveSibling(Checkpoint.CONFIG)) ? parent.getParent() : folder;
    }
}
