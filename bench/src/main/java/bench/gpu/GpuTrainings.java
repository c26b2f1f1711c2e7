package bench.gpu;

import bench.Workload;
import datasets.Dataset;
import datasets.Datasets;
import ddpm.report.ImageGrid;
import ddpm.train.Setting;
import ddpm.train.Settings;
import ddpm.train.Training;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import tensor.Shape;
import tensor.backend.Backend;
import tensor.backend.Backends;
import tensor.backend.Precision;
import tensor.backend.cuda.CudaBackend;
import tensor.memory.Scope;

/**
 * Trainings on Fashion-MNIST's first test images, from one start in each precision: call by call and recorded, which must give
 * the same losses, bit for bit; and those of small batches also the losses that the processor gave ({@code losses.csv}), closely
 * over the first steps and on average over the last, up to which rounding has grown. Of these there are grids of samples.
 */
final class GpuTrainings {
    /** Batch of a training step where a GPU computes. */
    static final int BATCH = 128;

    /** The largest relative difference from the processor's in one of the first {@link #FIRST} losses: rounding, grown. */
    private static final Map<Precision, Double> FIRST_TOLERANCE =
            Map.of(Precision.FP32, 2e-4, Precision.TF32, 5e-3, Precision.BF16, 2e-2);

    /** That of the mean of the last {@link #LAST}: by then the weights differ, what is learned must not. */
    private static final Map<Precision, Double> LAST_TOLERANCE =
            Map.of(Precision.FP32, 0.01, Precision.TF32, 0.03, Precision.BF16, 0.05);

    private static final double LEARNING_RATE = 2e-4;
    private static final int FIRST = 10;
    private static final int LAST = 50;

    private static final int IMAGES = 1024;
    private static final int SAMPLES = 16;
    private static final int SAMPLING_STEPS = 50;

    /**
     * A training to compare.
     *
     * @param shrunk a network of a few weights instead of the preset's, for the stand-ins
     */
    record Run(String preset, boolean shrunk, int batch, int steps) {
        /**
         * The preset's, at one rate from the first step on: a network that starts from 0 must show what it learns, and faster
         * learning would soon make roundings large.
         */
        Settings settings() {
            Settings settings =
                    Workload.settings(preset, batch).with(Setting.WARMUP, 0L).with(Setting.LR, LEARNING_RATE);
            return shrunk ? tiny(settings) : settings;
        }

        /** As the file of losses has it. */
        String name() {
            return shrunk ? preset + "-tiny" : preset;
        }

        @Override
        public String toString() {
            return name() + ", batch " + batch + ", " + steps + " steps";
        }
    }

    /** Those of which the processor's losses are kept … */
    private static final List<Run> KEPT = List.of(
            new Run("annotated", false, 8, 200),
            new Run("fashion", false, 8, 200),
            new Run("ddpm-cifar10", false, 4, 200));

    /** … and the one where the stand-ins compute. */
    private static final Run TINY = new Run("annotated", true, 4, 6);

    /** Of the batch that is timed: searched launches, norms that meet and attention in parts begin there only. */
    private static final List<Run> LARGE =
            List.of(new Run("annotated", false, BATCH, 40), new Run("ddpm-cifar10", false, BATCH, 40));

    private final GpuReport report;

    GpuTrainings(GpuReport report) {
        this.report = report;
    }

    static List<Run> kept(boolean small) {
        return small ? List.of(TINY) : KEPT;
    }

    static List<Run> large(boolean small) {
        return small ? List.of() : LARGE;
    }

    static Settings tiny(Settings settings) {
        return settings.with(Setting.DIM, 8L).with(Setting.DIM_MULTS, List.of(1L, 2L));
    }

    /** Fashion-MNIST's first test images on black of the size that the preset was made for, in grey where it has colours. */
    static Dataset images(Settings settings) {
        Dataset fashion = Datasets.fashionTest();
        Shape image = Workload.image(settings);
        int side = image.get(1);
        int channels = image.get(3);
        int border = (side - fashion.width()) / 2;
        byte[] pixels = new byte[IMAGES * image.size()];
        int[] labels = new int[IMAGES];
        for (int i = 0; i < IMAGES; i++) {
            byte[] from = fashion.pixels(i);
            for (int p = 0; p < from.length; p++) {
                int row = border + p / fashion.width();
                int column = border + p % fashion.width();
                int at = ((i * side + row) * side + column) * channels;
                Arrays.fill(pixels, at, at + channels, from[p]);
            }
            labels[i] = fashion.label(i);
        }
        return Dataset.of("fashion", side, side, channels, pixels, labels);
    }

    /** Compares a training with the processor's. */
    void train(Run run, Precision precision) throws IOException {
        double[] losses = sameBits(run, precision);
        double[] kept = keptLosses(run.name());
        if (kept.length != losses.length)
            throw new IllegalStateException(
                    "of " + run + " " + kept.length + " losses of the processor are kept, not " + losses.length);
        double first = first(losses, kept);
        double last = last(losses, kept);
        if (!(first <= FIRST_TOLERANCE.get(precision)))
            report.fail(run + ", " + precision + ": the first losses differ from the processor's by " + first);
        if (!(last <= LAST_TOLERANCE.get(precision)))
            report.fail(run + ", " + precision + ": the last losses' mean differs from the processor's by " + last);
        report.say(String.format(
                Locale.ROOT,
                "from the processor's: at most %.1e in the first %d, %.1e in the mean of the last %d",
                first,
                Math.min(FIRST, losses.length),
                last,
                Math.min(LAST, losses.length)));
        report.put(
                "from cpu " + run.name() + " " + precision,
                Map.of("first", GpuReport.number(first), "last", GpuReport.number(last)));
    }

    /** The largest relative difference in the first losses. */
    static double first(double[] losses, double[] kept) {
        double worst = 0;
        for (int i = 0; i < Math.min(FIRST, losses.length); i++)
            worst = Math.max(worst, Math.abs(losses[i] - kept[i]) / kept[i]); // NaN stays
        return worst;
    }

    /** The relative difference of the means of the last losses. */
    static double last(double[] losses, double[] kept) {
        double mean = Arrays.stream(losses)
                .skip(Math.max(0, losses.length - LAST))
                .average()
                .orElseThrow();
        double expected = Arrays.stream(kept)
                .skip(Math.max(0, kept.length - LAST))
                .average()
                .orElseThrow();
        return Math.abs(mean - expected) / expected;
    }

    /** The losses of a training, recorded as call by call. */
    double[] sameBits(Run run, Precision precision) throws IOException {
        report.say("");
        report.say("## " + run + ", " + precision);
        double[] eager = losses(run, precision, false, false);
        double[] recorded = losses(run, precision, true, run.batch < BATCH); // begun before the last one is read
        boolean same = Arrays.equals(eager, recorded);
        if (!same) report.fail(run + ", " + precision + ": recorded steps differ from those call by call");
        if (!Arrays.stream(eager).allMatch(Double::isFinite))
            report.fail(run + ", " + precision + ": a loss is not finite");
        report.say(String.format(
                Locale.ROOT,
                "loss %.5f to %.5f; %s call by call and recorded",
                eager[0],
                eager[eager.length - 1],
                same ? "the same bits" : "DIFFERENT"));
        report.put(
                "losses " + run.name() + " " + run.batch + " " + precision,
                Map.of("same bits", same, "last", GpuReport.number(eager[eager.length - 1])));
        return eager;
    }

    private double[] losses(Run run, Precision precision, boolean graph, boolean samples) throws IOException {
        System.setProperty(CudaBackend.GRAPH, Boolean.toString(graph));
        try (Backend backend = Backends.open("cuda", 0, precision).backend();
                Scope root = Scope.open("train");
                Training training = new Training(run.settings(), images(run.settings()), backend)) {
            double[] losses = new double[run.steps];
            for (int i = 0; i < run.steps; i++)
                losses[i] = training.step(training.settings().learningRate(10_000), i < run.steps - 1)
                        .loss();
            if (samples) grid(training, run, precision);
            return losses;
        } finally {
            System.clearProperty(CudaBackend.GRAPH);
        }
    }

    private void grid(Training training, Run run, Precision precision) throws IOException {
        var config = training.unet().config();
        float[] drawn = GpuTimes.draw(training, run.shrunk ? 4 : SAMPLES, run.shrunk ? 3 : SAMPLING_STEPS);
        for (float value : drawn)
            if (!Float.isFinite(value)) {
                report.fail(run + ", " + precision + ": a sample is not finite");
                return;
            }
        ImageGrid.square(ImageGrid.split(drawn, config.height(), config.width(), config.channels()))
                .writePng(report.folder().resolve("samples-" + run.name() + "-" + precision + ".png"));
    }

    /** The losses that the processor gave, in the order of the steps; empty for a training of which none are kept. */
    static double[] keptLosses(String name) throws IOException {
        List<Double> losses = new ArrayList<>();
        try (InputStream in = GpuTrainings.class.getResourceAsStream("losses.csv");
                BufferedReader lines = new BufferedReader(new InputStreamReader(in, StandardCharsets.UTF_8))) {
            for (String line; (line = lines.readLine()) != null; ) {
                String[] words = line.split(",");
                if (words[0].equals(name)) losses.add(Double.parseDouble(words[2]));
            }
        }
        return losses.stream().mapToDouble(d -> d).toArray();
    }

    /** Prints the file of losses, computed on this machine's processor. */
    static void makeLosses() {
        System.out.println("training,step,loss");
        List<Run> runs = new ArrayList<>(List.of(TINY));
        runs.addAll(KEPT);
        for (Run run : runs)
            try (Backend backend = Backends.open("cpu").backend();
                    Scope root = Scope.open("train");
                    Training training = new Training(run.settings(), images(run.settings()), backend)) {
                for (int i = 1; i <= run.steps; i++)
                    System.out.println(run.name() + "," + i + ","
                            + training.step(training.settings().learningRate(10_000))
                                    .loss());
            }
    }
}
