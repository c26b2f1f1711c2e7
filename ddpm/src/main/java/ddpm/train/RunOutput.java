package ddpm.train;

import datasets.Dataset;
import ddpm.report.AnimatedGif;
import ddpm.report.HalfBlocks;
import ddpm.report.HtmlReport;
import ddpm.report.ImageGrid;
import ddpm.report.LinePlot;
import ddpm.report.MetricsCsv;
import ddpm.report.Picture;
import ddpm.report.ProgressLine;
import ddpm.report.TensorBoardWriter;
import ddpm.unet.UNetConfig;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.stream.Stream;
import tensor.Rng;
import tensor.Shape;
import tensor.Tensor;
import tensor.memory.Scope;

/** Everything a run leaves behind and shows on the way: metrics, sample grids, checkpoints, films, the report. */
public final class RunOutput implements Trainer.Output, AutoCloseable {
    /** First steps of sampling, in which a device searches for algorithms and records the network, and Java compiles. */
    private static final int UNTYPICAL = 10;
    /** Steps of sampling that are measured. */
    private static final int MEASURED = 10;
    /** Seed of the preview samples, so that all grids of a run start from the same noise. */
    private static final long SAMPLE_SEED = 1;
    /** Frames of the denoising film. */
    private static final int FRAMES = 40;
    /** Weight of the past in the running average of the loss. */
    private static final double SMOOTHING = 0.98;

    private final RunFolder folder;
    private final Training training;
    private final Dataset data;
    private final Map<String, Object> about;
    private final Interrupts interrupts;
    private final ProgressLine progress;
    private final boolean quiet;
    private final MetricsCsv metrics;
    private final TensorBoardWriter events;
    private final UNetConfig network;
    private final Sampling sampling;
    private final long firstStep;
    private final double started = seconds();
    private long planned;
    private double average = Double.NaN;
    private double elapsedBefore;
    private double lastAt = started;
    private double samplingSeconds;

    public RunOutput(
            RunFolder folder,
            Training training,
            Dataset data,
            Map<String, Object> about,
            Interrupts interrupts,
            boolean quiet)
            throws IOException {
        this.folder = folder;
        this.training = training;
        this.data = data;
        this.about = about;
        this.interrupts = interrupts;
        this.quiet = quiet;
        progress = ProgressLine.onStandardOutput();
        network = training.unet().config();
        Sampling drawing = new Sampling(training.settings(), training.diffusion(), training.backend(), network);
        sampling = training.settings().enlarges() ? drawing.enlarging(small()) : drawing;
        firstStep = training.step();
        metrics = new MetricsCsv(folder.path().resolve("metrics.csv"));
        if (firstStep > 0) {
            metrics.truncateAfter(firstStep);
            continueMetrics();
        }
        events = new TensorBoardWriter(folder.path(), System.currentTimeMillis() / 1000);
        forward();
        writeConfig();
    }

    /** Small pictures of the first images of the data, for the sample grids; where labels are told, of the class that is. */
    private float[] small() {
        int n = training.settings().samples();
        int classes = training.unet().ports().classes();
        Shape shape = Shape.of(n, data.height(), data.width(), data.channels());
        float[] images = new float[shape.size()];
        for (int k = 0, i = 0; k < n; k++, i++) {
            if (classes > 0) i = next(i, k % classes);
            data.read(i % data.size(), images, k * data.values(), false);
        }
        try (Scope scope = Scope.open("small pictures")) {
            return training.settings()
                    .lowResolution(training.diffusion(), data.height(), data.width())
                    .shrink(Tensor.of(training.backend(), shape, images))
                    .toFloats();
        }
    }

    /** The first image from i on, and round again, of a class; i where there is none. */
    private int next(int i, int label) {
        for (int j = i; j < i + data.size(); j++) if (data.label(j % data.size()) == label) return j;
        return i;
    }

    /** Where average and clock of an interrupted run stood. */
    private void continueMetrics() throws IOException {
        double[] averages = MetricsCsv.read(folder.path().resolve("metrics.csv"), "loss_avg")[1];
        double[] elapsed = MetricsCsv.read(folder.path().resolve("metrics.csv"), "elapsed_s")[1];
        if (averages.length == 0) return;
        average = averages[averages.length - 1];
        elapsedBefore = elapsed[elapsed.length - 1];
    }

    private void writeConfig() throws IOException {
        folder.writeConfig(config());
    }

    private Map<String, Object> config() {
        Map<String, Object> config = training.settings().toJson();
        if (planned > 0) config.put(Setting.STEPS.key(), planned);
        config.put(RunFolder.ABOUT, about);
        return config;
    }

    @Override
    public void planned(long steps, double secondsPerStep) {
        planned = steps;
        try {
            writeConfig();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        if (!Double.isNaN(secondsPerStep))
            say(String.format(
                    Locale.ROOT,
                    "plan      %d steps of %.0f ms fit into %s minutes with the samples",
                    steps,
                    1000 * secondsPerStep,
                    training.settings().maxMinutes()));
    }

    @Override
    public void step(StepReport r) {
        double now = seconds();
        double speed = r.images() / (now - lastAt);
        lastAt = now;
        average = Double.isNaN(average) ? r.loss() : SMOOTHING * average + (1 - SMOOTHING) * r.loss();
        double elapsed = elapsedBefore + now - started;
        try {
            metrics.write(new MetricsCsv.Row(
                    r.step(),
                    r.epoch(),
                    r.loss(),
                    average,
                    r.learningRate(),
                    r.gradientNorm(),
                    speed,
                    elapsed,
                    r.quarterLoss()));
            events.scalar("loss", r.step(), wall(), r.loss());
            events.scalar("loss_avg", r.step(), wall(), average);
            events.scalar("lr", r.step(), wall(), r.learningRate());
            events.scalar("grad_norm", r.step(), wall(), r.gradientNorm());
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        if (!quiet)
            progress.update(
                    r.step(),
                    planned,
                    r.step() - firstStep,
                    String.format(Locale.ROOT, "loss %.4f (avg %.4f)  %.0f img/s", r.loss(), average, speed));
    }

    @Override
    public void samples(long step) {
        try {
            Picture grid = grid(draw(null));
            String name = String.format(Locale.ROOT, "step-%08d.png", step);
            grid.writePng(folder.path().resolve("samples").resolve(name));
            events.image("samples", step, wall(), grid);
            say("  saved samples/" + name);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        } catch (Interrupts.Stop e) {
            progress.clear(); // the trainer sees the request itself and saves
        }
        lastAt = seconds();
    }

    /** Images drawn with the averaged weights, or with the weights when there are none. */
    private float[] draw(Sampling.Film film) {
        float[][] drawn = new float[1][];
        double begin = seconds();
        Runnable body = () ->
                drawn[0] = sampling.draw(training.unet(), training.settings().samples(), SAMPLE_SEED, film, interrupts);
        if (training.ema() == null) body.run();
        else training.ema().within(body);
        samplingSeconds = seconds() - begin;
        return drawn[0];
    }

    /** Draws one small batch for a few steps' time, to know how long a grid takes. */
    public double estimateSampling() {
        double begin = seconds();
        double[] typical = {begin};
        try {
            draw((batch, done, pixels, start) -> {
                if (done != UNTYPICAL && done != UNTYPICAL + MEASURED) return;
                pixels.get(); // waits for the device
                if (done > UNTYPICAL) throw new Enough();
                typical[0] = seconds();
            });
        } catch (Enough e) {
            int batches = sampling.batches(training.settings().samples());
            return (seconds() - typical[0]) / MEASURED * sampling.steps() * batches;
        }
        return seconds() - begin;
    }

    private static final class Enough extends RuntimeException {
        private static final long serialVersionUID = 1;

        Enough() {
            super("enough steps were seen", null, false, false);
        }
    }

    private Picture grid(float[] pixels) {
        return ImageGrid.square(ImageGrid.split(pixels, network.height(), network.width(), network.channels()));
    }

    @Override
    public void checkpoint(long step) {
        try {
            Checkpoint.save(training, planned, config(), folder.checkpoints());
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        lastAt = seconds();
    }

    /** The noising strip of one training image: {@code forward.png}. */
    private void forward() throws IOException {
        Path file = folder.path().resolve("forward.png");
        if (Files.exists(file)) return;
        float[] image = new float[data.values()];
        data.read(0, image, 0, false);
        NoiseStrip.of(image, network, training.diffusion().schedule(), new Rng(SAMPLE_SEED), training.backend())
                .writePng(file);
    }

    /** Final grid, film, report; after the last step. */
    public void finish() throws IOException {
        List<Picture> film = new ArrayList<>();
        int every = Math.max(1, sampling.steps() / FRAMES);
        Picture grid = grid(draw((batch, done, pixels, start) -> {
            boolean shown = batch == 0 && (done % every == 0 || done == sampling.steps());
            if (shown) film.add(grid(pixels.get()));
        }));
        Path path = folder.path();
        grid.writePng(path.resolve("final.png"));
        grid.writePng(path.resolve("samples").resolve(String.format(Locale.ROOT, "step-%08d.png", training.step())));
        AnimatedGif.write(path.resolve("denoise.gif"), film, 60, 2000);
        events.image("samples", training.step(), wall(), grid);
        report();
        progress.clear();
        if (!quiet && System.console() != null && System.getenv("NO_COLOR") == null)
            System.out.print(HalfBlocks.of(grid, 76));
        double elapsed = elapsedBefore + seconds() - started;
        say(String.format(
                Locale.ROOT,
                "done in %s.  loss (avg) %.4f  samples in %.1f s",
                ProgressLine.clock((long) elapsed),
                average,
                samplingSeconds));
    }

    private void report() throws IOException {
        Path path = folder.path();
        Path csv = path.resolve("metrics.csv");
        double[][] loss = MetricsCsv.read(csv, "loss");
        double[][] averaged = MetricsCsv.read(csv, "loss_avg");
        Map<String, String> facts = new LinkedHashMap<>();
        facts.put("steps", Long.toString(training.step()));
        facts.put("loss, running average", String.format(Locale.ROOT, "%.4f", average));
        facts.put(
                "parameters",
                String.format(Locale.ROOT, "%.2f M", training.unet().parameterCount() / 1e6));
        facts.put("time", ProgressLine.clock((long) (elapsedBefore + seconds() - started)));
        facts.put("weights sampled", training.ema() == null ? "raw" : "averaged (EMA)");
        String name = path.getFileName().toString();
        HtmlReport page = new HtmlReport(name, data.description())
                .facts(facts)
                .heading("Samples")
                .image(path.resolve("final.png"), "The final samples, from noise with the seed " + SAMPLE_SEED + ".")
                .image(path.resolve("denoise.gif"), "The same images on their way from noise.")
                .heading("Loss")
                .plot(new LinePlot("loss of each step and its running average", "step", true)
                        .faintLine("step", loss[0], loss[1])
                        .line("average", averaged[0], averaged[1]))
                .heading("Samples during training");
        List<Path> grids;
        try (Stream<Path> files = Files.list(path.resolve("samples"))) {
            grids = files.filter(p -> p.getFileName().toString().matches("step-\\d{8,18}\\.png"))
                    .sorted()
                    .toList();
        }
        page.row(
                        grids,
                        grids.stream()
                                .map(p -> "step "
                                        + Long.parseLong(
                                                p.getFileName().toString().replaceAll("\\D", "")))
                                .toList())
                .heading("The forward process")
                .image(path.resolve("forward.png"), "A training image with more and more noise (Eq. 4).")
                .heading("Going on")
                .commands(
                        "mvn -q exec:java -Dexec.mainClass=ddpm.Train -Dexec.args=\"--resume "
                                + RunFolder.argument(path) + " --steps " + 2 * training.step() + "\"",
                        "mvn -q exec:java -Dexec.mainClass=ddpm.Sample -Dexec.args=\"" + RunFolder.argument(path)
                                + " -n 64\"")
                .heading("Settings")
                .table("all settings", training.settings().toJson())
                .table("data, machine, versions", about)
                .write(path.resolve("report.html"), name);
    }

    private void say(String line) {
        if (!quiet) progress.say(line);
    }

    private static double seconds() {
        return System.nanoTime() * 1e-9;
    }

    private static double wall() {
        return System.currentTimeMillis() * 1e-3;
    }

    @Override
    public void close() throws IOException {
        metrics.close();
        events.close();
    }
}
