package bench;

import ddpm.io.Json;
import ddpm.report.ImageGrid;
import ddpm.train.Interrupts;
import ddpm.train.Sampling;
import ddpm.train.Setting;
import ddpm.train.Settings;
import ddpm.train.StepReport;
import ddpm.train.Training;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import tensor.DType;
import tensor.Shape;
import tensor.Tensor;
import tensor.backend.Backend;
import tensor.backend.Backends;
import tensor.backend.Precision;
import tensor.backend.cuda.CudaBackend;
import tensor.backend.cuda.NormTrials;
import tensor.memory.Scope;

/**
 * <b>Question.</b> Does the backend {@code cuda} compute on this GPU what it should, and how fast is it?
 *
 * <p><b>Method.</b> (1) Device and library versions. (2) Every op of the catalogue, value and gradients, against the reference,
 * in each precision ({@link GpuParity}); every way to launch a large norm ({@link NormTrials}). (3) Training from one start in
 * each precision, call by call and recorded: the two must give the same losses, bit for bit, also at the batch of a GPU, where
 * launches are searched for; the first losses of small batches must be those that the processor gave, kept in
 * {@code gpu-losses.csv}. (4) A grid of samples. (5) Time of a training step and of a sampling step, recorded and not; with
 * PyTorch's convolutions beside ours where {@code python3} can import it. (6) {@code report.json} and {@code report.md},
 * written anew after each part.
 *
 * <p><b>How to run.</b> {@code bench/gpu-pack.sh} makes a folder that needs nothing but a driver, cuBLAS and cuDNN on the
 * machine; there, {@code ./run-gpu-tests}. {@code --small} takes tiny shapes and few steps, for the stand-ins; {@code
 * --checks} times nothing, for a machine on which something else runs, {@code --times} does nothing else. {@code
 * ./run-gpu-peers} does both, with PyTorch's steps and the benchmarks' gate, in one call.
 *
 * <p><b>Result and reading.</b> In the report; nothing is claimed that did not run on the device that it names.
 */
public final class GpuTests {
    /** Losses may differ from the processor's by this, relative: rounding, grown over the steps compared. */
    private static final Map<Precision, Double> LOSS_TOLERANCE =
            Map.of(Precision.FP32, 2e-4, Precision.TF32, 1e-2, Precision.BF16, 5e-2);

    /** Exit code for wrong options, as the programs have it. */
    private static final int USAGE = 2;

    /** Exit code where there is no GPU to test, likewise. */
    private static final int NO_DEVICE = 7;

    /** Batch of a training step where a GPU computes. */
    private static final int BATCH = 128;

    private final boolean small;
    private final boolean checked;
    private final boolean timed;
    private final Path out;
    private final List<String> failures = new ArrayList<>();
    private final Map<String, Object> report = new LinkedHashMap<>();
    private final StringBuilder text = new StringBuilder();
    private boolean lost;

    GpuTests(boolean small, boolean checked, boolean timed, Path out) {
        this.small = small;
        this.checked = checked;
        this.timed = timed;
        this.out = out;
    }

    /** Why these options are not good, or {@code null}: a word that is not known would leave out what it was to ask for. */
    static String wrong(List<String> options) {
        for (String option : options)
            if (!List.of("--small", "--checks", "--times").contains(option)) return "there is no option " + option;
        return options.contains("--checks") && options.contains("--times")
                ? "--checks times nothing and --times does nothing else: take one of them"
                : null;
    }

    public static void main(String[] args) throws IOException {
        List<String> options = new ArrayList<>(List.of(args));
        if (options.equals(List.of("--make-losses"))) {
            makeLosses();
            return;
        }
        Path out = Path.of(options.isEmpty() || options.get(0).startsWith("--") ? "gpu-report" : options.remove(0));
        if (wrong(options) != null) {
            System.err.println("error: " + wrong(options));
            System.exit(USAGE);
        }
        GpuTests tests = new GpuTests(
                options.contains("--small"),
                !options.contains("--times"),
                !options.contains("--checks"),
                Files.createDirectories(out));
        try {
            System.exit(tests.run() ? 0 : 1);
        } catch (IllegalStateException e) {
            System.err.println("error: " + e.getMessage());
            System.exit(NO_DEVICE);
        }
    }

    private boolean run() throws IOException {
        say("# GPU tests" + (small ? ", small" : ""));
        device();
        if (checked) {
            for (Precision precision : Precision.values()) part("ops in " + precision, () -> ops(precision));
            for (Precision precision : List.of(Precision.FP32, Precision.BF16))
                part("norms in " + precision, () -> norms(precision));
            for (Run run : small ? SMALL : KEPT)
                for (Precision precision : Precision.values())
                    part(run.label() + ", " + precision, () -> train(run, precision));
            for (Run run : small ? List.<Run>of() : LARGE)
                for (Precision precision : List.of(Precision.TF32, Precision.BF16))
                    part(run.label() + ", " + precision, () -> sameBits(run, precision));
        }
        if (timed) {
            part("training steps", this::timings);
            part("sampling steps", this::sampling);
        }
        if (checked && timed) part("PyTorch", this::torch);
        say("");
        say(failures.isEmpty() ? (checked ? "All checks passed." : "Measured.") : failures.size() + " checks FAILED:");
        for (String failure : failures) say("- " + failure);
        write();
        return failures.isEmpty();
    }

    /** A part of the tests. */
    interface Part {
        void run() throws IOException;
    }

    /**
     * One that stops is a failure, and the next goes on; unless the device does not, which after an error in a kernel answers
     * nothing but that error for as long as the process lives.
     */
    void part(String name, Part part) throws IOException {
        if (lost) return;
        try {
            part.run();
        } catch (IOException | RuntimeException | Error e) { // an Error, too: a device that is full ends in one
            failures.add(name + ": " + e);
            say("stopped: " + e);
            e.printStackTrace();
            lost = !computes();
            if (lost)
                failures.add("the device does not compute any more, what was to follow \"" + name
                        + "\" is left out; once more"
                        + " with JAVA_TOOL_OPTIONS=-D" + CudaBackend.MEET + "=false, where no blocks of a norm wait for"
                        + " others");
        }
        write();
    }

    static boolean computes() {
        try (Backend backend = Backends.open("cuda").backend();
                Scope scope = Scope.open("probe")) {
            return Tensor.full(backend, DType.F32, Shape.of(1), 2).item() == 2;
        } catch (IllegalStateException | OutOfMemoryError e) {
            return false;
        }
    }

    private void write() throws IOException {
        report.put("failures", failures);
        Files.writeString(out.resolve("report.json"), Json.write(report));
        Files.writeString(out.resolve("report.md"), text.toString());
    }

    private void say(String line) {
        System.out.println(line);
        text.append(line).append('\n');
    }

    /** For the report: JSON has no NaN. */
    private static Object number(double value) {
        return Double.isFinite(value) ? (Object) value : String.valueOf(value);
    }

    // ---- (1) ------------------------------------------------------------------------------------------------

    private void device() {
        for (String library : CudaBackend.libraries()) say("- " + library);
        try (Backend backend = Backends.open("cuda").backend()) {
            say("- " + backend.description());
            report.put("device", backend.description());
        }
        report.put("small", small);
    }

    // ---- (2) ------------------------------------------------------------------------------------------------

    private void ops(Precision precision) {
        try (Backend backend = Backends.open("cuda", 0, precision).backend()) {
            GpuParity.Outcome outcome = GpuParity.run(backend, precision, GpuParity.cases(!small));
            say("");
            say("## Ops in " + precision + ": " + outcome.cases() + " cases, "
                    + outcome.wrong().size() + " wrong; worst " + outcome.worst());
            for (String wrong : outcome.wrong()) failures.add(precision + ": " + wrong);
            report.put("ops " + precision, Map.of("cases", (long) outcome.cases(), "wrong", (long)
                    outcome.wrong().size()));
        }
    }

    /** Every way to launch two norms of the networks, of 4 channels a group and of 12. */
    private void norms(Precision precision) {
        List<Shape> shapes =
                small ? List.of(Shape.of(2, 257, 64)) : List.of(Shape.of(64, 1024, 128), Shape.of(32, 1023, 384));
        for (Shape shape : shapes) {
            NormTrials.Outcome found = NormTrials.run(precision, shape, 32, GpuParity.bound(precision));
            say("");
            say(String.format(
                    Locale.ROOT,
                    "## Norms of %s in %s: %d ways to launch them, of which %d with meetings, %d wrong; worst %.1e",
                    shape,
                    precision,
                    found.ways(),
                    found.meetings(),
                    found.wrong().size(),
                    found.worst()));
            for (String wrong : found.wrong()) failures.add(precision + ": " + wrong);
            report.put(
                    "norms " + shape + " " + precision,
                    Map.of(
                            "ways",
                            (long) found.ways(),
                            "wrong",
                            (long) found.wrong().size(),
                            "worst",
                            number(found.worst())));
        }
    }

    // ---- (3), (4) -------------------------------------------------------------------------------------------

    /** A training to compare: the preset in a size of its own, and over how many steps. */
    private record Run(String preset, int batch, int steps) {
        /** The preset's, at its full learning rate from the first step on: a network that starts from 0 must show what it learns. */
        Settings settings() {
            return Workload.settings(preset, batch).with(Setting.WARMUP, 0L);
        }

        String label() {
            return preset + ", batch " + batch + ", " + steps + " steps";
        }
    }

    /** What the processor computed, for {@code gpu-losses.csv}. */
    private static final List<Run> PROCESSORS =
            List.of(new Run("annotated", 8, 10), new Run("fashion", 8, 5), new Run("ddpm-cifar10", 1, 5));
    /** Trainings whose first losses these are … */
    private static final List<Run> KEPT =
            List.of(new Run("annotated", 8, 100), new Run("fashion", 8, 100), new Run("ddpm-cifar10", 1, 100));
    /** … on the stand-ins … */
    private static final List<Run> SMALL = List.of(new Run("annotated", 8, 4));
    /** … and those of the batch that is timed: searched launches, norms that meet and attention in parts begin there only. */
    private static final List<Run> LARGE = List.of(new Run("annotated", BATCH, 8), new Run("ddpm-cifar10", BATCH, 8));

    /** The losses of a training, recorded as call by call. */
    private double[] sameBits(Run run, Precision precision) throws IOException {
        say("");
        say("## " + run.label() + ", " + precision);
        double[] eager = losses(run, precision, false, false);
        boolean draws = precision == Precision.TF32 && run.batch < BATCH;
        double[] recorded = losses(run, precision, true, draws); // begun before the last one is read
        boolean same = Arrays.equals(eager, recorded);
        boolean finite = Arrays.stream(eager).allMatch(Double::isFinite);
        if (!same) failures.add(run.label() + ", " + precision + ": recorded steps differ from those call by call");
        if (!finite) failures.add(run.label() + ", " + precision + ": a loss is not finite");
        say(String.format(
                Locale.ROOT,
                "loss %.5f to %.5f; %s call by call and recorded",
                eager[0],
                eager[eager.length - 1],
                same ? "the same bits" : "DIFFERENT"));
        report.put(
                "losses " + run.preset + " " + run.batch + " " + precision,
                Map.of("same bits", same, "last", number(eager[eager.length - 1])));
        return eager;
    }

    private void train(Run run, Precision precision) throws IOException {
        double[] eager = sameBits(run, precision);
        double[] kept = keptLosses(run.preset);
        double worst = 0;
        for (int i = 0; i < Math.min(kept.length, eager.length); i++)
            worst = Math.max(worst, Math.abs(eager[i] - kept[i]) / kept[i]);
        if (!(worst <= LOSS_TOLERANCE.get(precision)))
            failures.add(run.preset + " " + precision + ": losses differ from the processor's by " + worst);
        say(String.format(
                Locale.ROOT, "from the processor's first %d: %.1e", Math.min(kept.length, eager.length), worst));
        report.put("from cpu " + run.preset + " " + precision, number(worst));
    }

    private double[] losses(Run run, Precision precision, boolean graph, boolean samples) throws IOException {
        System.setProperty(CudaBackend.GRAPH, Boolean.toString(graph));
        try (Backend backend = Backends.open("cuda", 0, precision).backend();
                Scope root = Scope.open("train");
                Training training = Workload.training(run.settings(), backend)) {
            double[] losses = new double[run.steps];
            for (int i = 0; i < run.steps; i++)
                losses[i] = training.step(training.settings().learningRate(10_000), i < run.steps - 1)
                        .loss();
            if (samples) grid(training, run);
            return losses;
        } finally {
            System.clearProperty(CudaBackend.GRAPH);
        }
    }

    private void grid(Training training, Run run) throws IOException {
        var config = training.unet().config();
        float[] drawn = draw(training, small ? 2 : 16, small ? 3 : 50);
        for (float value : drawn) if (!Float.isFinite(value)) failures.add(run.preset + ": a sample is not finite");
        ImageGrid.square(ImageGrid.split(drawn, config.height(), config.width(), config.channels()))
                .writePng(out.resolve("samples-" + run.preset + ".png"));
    }

    /** The losses that the processor gave, in the order of the steps; empty for a preset of which none are kept. */
    static double[] keptLosses(String preset) throws IOException {
        List<Double> losses = new ArrayList<>();
        try (InputStream in = GpuTests.class.getResourceAsStream("gpu-losses.csv");
                BufferedReader lines = new BufferedReader(new InputStreamReader(in, StandardCharsets.UTF_8))) {
            for (String line; (line = lines.readLine()) != null; ) {
                String[] words = line.split(",");
                if (words[0].equals(preset)) losses.add(Double.parseDouble(words[2]));
            }
        }
        return losses.stream().mapToDouble(d -> d).toArray();
    }

    /** Prints the file of losses, computed on this machine's processor. */
    private static void makeLosses() {
        System.out.println("preset,step,loss");
        for (Run run : PROCESSORS)
            try (Backend backend = Backends.open("cpu").backend();
                    Scope root = Scope.open("train");
                    Training training = Workload.training(run.settings(), backend)) {
                for (int i = 0; i < run.steps; i++) {
                    StepReport step = training.step(training.settings().learningRate(10_000));
                    System.out.println(run.preset + "," + step.step() + "," + step.loss());
                }
            }
    }

    // ---- (5) ------------------------------------------------------------------------------------------------

    private void timings() {
        say("");
        say("## Time of a training step");
        say("");
        say("| preset | batch | precision | call by call, ms | recorded, ms |");
        say("| --- | --- | --- | --- | --- |");
        for (String preset : small ? List.of("annotated") : List.of("annotated", "ddpm-cifar10"))
            for (Precision precision : Precision.values()) {
                int batch = small ? 4 : BATCH;
                double eager = milliseconds(preset, batch, precision, false);
                double recorded = milliseconds(preset, batch, precision, true);
                say(String.format(
                        Locale.ROOT, "| %s | %d | %s | %.2f | %.2f |", preset, batch, precision, eager, recorded));
                report.put(
                        "step ms " + preset + " " + precision,
                        Map.of("batch", (long) batch, "call by call", eager, "recorded", recorded));
            }
    }

    /** A network of a few weights where the stand-ins compute. */
    private Settings timed(String preset, int batch) {
        Settings settings = Workload.settings(preset, batch);
        return small ? settings.with(Setting.DIM, 8L).with(Setting.DIM_MULTS, List.of(1L, 2L)) : settings;
    }

    /** From the results of one step to those of the next, as training goes on; the median after the first few. */
    private double milliseconds(String preset, int batch, Precision precision, boolean graph) {
        System.setProperty(CudaBackend.GRAPH, Boolean.toString(graph));
        try (Backend backend = Backends.open("cuda", 0, precision).backend();
                Scope root = Scope.open("time");
                Training training = Workload.training(timed(preset, batch), backend)) {
            double[] times = new double[small ? 2 : 30];
            for (int i = small ? -3 : -5; i < times.length; i++) {
                long start = System.nanoTime();
                training.step(training.settings().learningRate(10_000), true);
                if (i >= 0) times[i] = (System.nanoTime() - start) * 1e-6;
            }
            Arrays.sort(times);
            return times[times.length / 2];
        } finally {
            System.clearProperty(CudaBackend.GRAPH);
        }
    }

    /** Time of one sampling step of the DDPM network, at the batch that it has on a GPU. */
    private void sampling() {
        say("");
        say("## Time of a sampling step");
        say("");
        say("| preset | images | precision | call by call, ms | recorded, ms |");
        say("| --- | --- | --- | --- | --- |");
        String preset = small ? "annotated" : "ddpm-cifar10";
        int images = small ? 2 : 256;
        for (Precision precision : Precision.values()) {
            double eager = samplingMilliseconds(preset, images, precision, false);
            double recorded = samplingMilliseconds(preset, images, precision, true);
            say(String.format(
                    Locale.ROOT, "| %s | %d | %s | %.2f | %.2f |", preset, images, precision, eager, recorded));
            report.put(
                    "sampling step ms " + preset + " " + precision,
                    Map.of("images", (long) images, "call by call", eager, "recorded", recorded));
        }
    }

    /** The difference between a long and a short run, divided by the steps that the long one has more. */
    private double samplingMilliseconds(String preset, int images, Precision precision, boolean graph) {
        int few = small ? 2 : 10;
        int many = small ? 4 : 60;
        System.setProperty(CudaBackend.GRAPH, Boolean.toString(graph));
        try (Backend backend = Backends.open("cuda", 0, precision).backend();
                Scope root = Scope.open("time");
                Training training = Workload.training(timed(preset, 1), backend)) {
            draw(training, images, few);
            long start = System.nanoTime();
            draw(training, images, few);
            long middle = System.nanoTime();
            draw(training, images, many);
            return ((System.nanoTime() - middle) - (middle - start)) * 1e-6 / (many - few);
        } finally {
            System.clearProperty(CudaBackend.GRAPH);
        }
    }

    private static float[] draw(Training training, int images, long steps) {
        Settings settings = training.settings().with(Setting.SAMPLER, "ddim").with(Setting.SAMPLING_STEPS, steps);
        return new Sampling(
                        settings,
                        training.diffusion(),
                        training.backend(),
                        training.unet().config())
                .draw(training.unet(), images, 1, null, Interrupts.none());
    }

    /** PyTorch's time for the convolutions of the network, by the script beside this program. */
    private void torch() throws IOException {
        Path script = Path.of(System.getProperty("gpu.tests.torch", "torch_convolutions.py"));
        if (!Files.exists(script)) return;
        say("");
        say("## PyTorch beside it");
        try {
            Process python = new ProcessBuilder("python3", script.toString())
                    .redirectErrorStream(true)
                    .start();
            String answer = new String(python.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
            say(
                    python.waitFor() == 0
                            ? answer
                            : "not measured: "
                                    + answer.strip().lines().reduce((a, b) -> b).orElse(""));
            report.put("torch", answer);
        } catch (IOException e) {
            say("not measured: " + e.getMessage());
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }
}
