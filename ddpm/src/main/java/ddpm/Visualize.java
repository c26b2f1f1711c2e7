package ddpm;

import datasets.Dataset;
import datasets.Datasets;
import datasets.ImageFolder;
import ddpm.diffusion.NoiseSchedule;
import ddpm.io.WholeFile;
import ddpm.report.HtmlReport;
import ddpm.report.LinePlot;
import ddpm.report.Picture;
import ddpm.train.NoiseStrip;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import tensor.Rng;
import tensor.backend.Backend;
import tensor.memory.Scope;

/** Shows what diffusion does: {@code -Dexec.mainClass=ddpm.Visualize -Dexec.args="forward --image cat.jpg"}. */
@Command(
        name = "ddpm.Visualize",
        sortOptions = false,
        usageHelpAutoWidth = true,
        description = {
            "Shows what diffusion does.",
            "  forward    a picture with more and more noise, as a strip",
            "  denoise    a trained model on its way from noise to images, as a film (same as ddpm.Sample --gif)",
            "  schedule   the noise schedules, plotted"
        })
public final class Visualize extends Program {
    /** What to show. */
    enum Subject {
        forward,
        denoise,
        schedule
    }

    @Parameters(index = "0", paramLabel = "forward|denoise|schedule", description = "what to show")
    private Subject subject;

    @Parameters(index = "1", arity = "0..1", paramLabel = "RUN", description = "denoise: the run or file of weights")
    private String model;

    @Option(
            names = "--image",
            paramLabel = "FILE",
            description = "forward: a picture; without one, the first of --data")
    private Path image;

    @Option(
            names = "--data",
            paramLabel = "DATA",
            description = "forward: where the picture comes from (default: $DDPM_DATA, if that is set, else fashion)")
    private String data;

    @Option(
            names = "--index",
            paramLabel = "N",
            defaultValue = "0",
            description = "forward: number of the picture in --data")
    private int index;

    @Option(
            names = "--size",
            paramLabel = "N",
            defaultValue = "128",
            description = "forward: side of a picture file (default: 128)")
    private int size;

    @Option(
            names = "--timesteps",
            paramLabel = "T",
            defaultValue = "200",
            description = "number of noise levels (default: 200, the notebook's)")
    private int timesteps;

    @Option(
            names = "--schedule",
            paramLabel = "NAME",
            defaultValue = "linear",
            description =
                    "forward: linear, linear-scaled, cosine, quadratic, sigmoid, cosine-iddpm or sigmoid-alpha (default:"
                            + " linear)")
    private String schedule;

    @Option(
            names = "--at",
            paramLabel = "T,T,...",
            split = ",",
            hideParamSyntax = true,
            description = "forward: timesteps to show (default: 0, a quarter, a half, three quarters, the last)")
    private int[] at;

    @Option(
            names = "--seed",
            paramLabel = "N",
            defaultValue = "0",
            description = "start of the random stream (default: 0)")
    private long seed;

    @Option(
            names = "--out",
            paramLabel = "FILE",
            description = "the file (default: forward.png, denoise.gif, schedule.html)")
    private Path out;

    public static void main(String[] args) {
        Program.main(new Visualize(), args);
    }

    @Override
    public Integer call() throws IOException {
        return switch (subject) {
            case forward -> forward();
            case denoise -> denoise();
            case schedule -> schedules();
        };
    }

    private int forward() throws IOException {
        checkEnding("--out", out, ".png");
        if (size < 1 || size > 1024) throw new Failure(Failure.USAGE, "--size needs 1..1024, not " + size);
        NoiseSchedule noise = NoiseSchedule.of(kind(), timesteps);
        int[] steps = at == null ? quarters() : at;
        for (int t : steps)
            if (t < 0 || t >= timesteps)
                throw new Failure(Failure.USAGE, "--at needs timesteps in 0.." + (timesteps - 1) + ", not " + t);
        Dataset pictures =
                image == null ? Datasets.open(data, 0, false, this::say) : ImageFolder.load(image, size, size);
        if (index < 0 || index >= pictures.size())
            throw new Failure(Failure.USAGE, "--index needs 0.." + (pictures.size() - 1) + ", not " + index);
        float[] pixels = new float[pictures.values()];
        pictures.read(index, pixels, 0, false);
        try (Backend on = openBackend();
                Scope root = Scope.open("visualize")) {
            Picture strip = NoiseStrip.of(
                    pixels, pictures.height(), pictures.width(), pictures.channels(), noise, steps, new Rng(seed), on);
            Path file = target("forward.png");
            strip.writePng(file);
            say("saved " + file.toAbsolutePath() + ": the picture, then t = "
                    + Arrays.toString(steps).replaceAll("[\\[\\]]", ""));
        }
        return 0;
    }

    private int[] quarters() {
        int last = timesteps - 1;
        return new int[] {0, last / 4, last / 2, 3 * last / 4, last};
    }

    private NoiseSchedule.Kind kind() {
        List<String> words = new ArrayList<>();
        for (NoiseSchedule.Kind kind : NoiseSchedule.Kind.values()) {
            if (kind.word().equals(schedule)) return kind;
            words.add(kind.word());
        }
        throw new Failure(Failure.USAGE, "--schedule needs one of " + String.join(", ", words) + ", not " + schedule);
    }

    private int denoise() {
        checkEnding("--out", out, ".gif");
        if (model == null) throw new Failure(Failure.USAGE, "denoise needs the run to show: denoise runs/NAME");
        Path film = target("denoise.gif");
        String grid = film.toString().replaceAll("\\.gif$", "") + ".png";
        List<String> args = new ArrayList<>(List.of(
                model,
                "--gif",
                film.toString(),
                "--out",
                grid,
                "--seed",
                Long.toString(seed),
                "--backend",
                backend,
                "--threads",
                Integer.toString(threads)));
        if (precision != null) args.addAll(List.of("--precision", precision.toString()));
        if (noGraph) args.add("--no-graph");
        if (quiet) args.add("--quiet");
        if (verbose) args.add("--verbose");
        return Program.run(new Sample(), args.toArray(String[]::new), System.err);
    }

    private int schedules() throws IOException {
        LinePlot signal = new LinePlot("alphaBar: the share of signal variance that is left", "t", false);
        LinePlot beta = new LinePlot("beta: the variance that one step adds", "t", true);
        LinePlot ratio = new LinePlot("signal-to-noise ratio alphaBar / (1 − alphaBar)", "t", true);
        for (NoiseSchedule.Kind kind : NoiseSchedule.Kind.values()) {
            NoiseSchedule s = NoiseSchedule.of(kind, timesteps);
            double[][] y = new double[4][timesteps];
            for (int t = 0; t < timesteps; t++) {
                y[0][t] = t;
                y[1][t] = s.alphaBar(t);
                y[2][t] = s.beta(t);
                y[3][t] = s.signalToNoise(t);
            }
            String name = kind.word();
            signal.line(name, y[0], y[1]);
            beta.line(name, y[0], y[2]);
            ratio.line(name, y[0], y[3]);
        }
        Path file = target("schedule.html");
        if (file.toString().endsWith(".svg")) {
            WholeFile.write(file, signal.toSvg().getBytes(StandardCharsets.UTF_8));
        } else {
            checkEnding("--out", out, ".html");
            new HtmlReport("Noise schedules", "T = " + timesteps)
                    .plot(signal)
                    .plot(beta)
                    .plot(ratio)
                    .write(file, "Noise schedules");
        }
        say("saved " + file.toAbsolutePath());
        return 0;
    }

    private Path target(String name) {
        return out == null ? Path.of(name) : out;
    }
}
