package bench.gpu;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
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
 * <p><b>Method.</b> {@code --checks}: (1) device and library versions. (2) Every op of the catalogue, value and gradients, against the
 * reference, in each precision ({@link GpuParity}); every way to launch a large norm ({@link NormTrials}). (3) Trainings in each
 * precision, call by call and recorded, against the processor's ({@link GpuTrainings}). (4) Grids of samples.
 * {@code --times}: (5) training and sampling, recorded and not ({@link GpuTimes}). {@code report.json} and
 * {@code report.md} are written anew after each part.
 *
 * <p><b>How to run.</b> {@code bench/gpu-pack.sh} makes a folder that needs nothing but a driver, cuBLAS and cuDNN on the
 * machine; there, {@code ./run-gpu-tests}, which starts this program for the checks and once more for the times, PyTorch's
 * steps and {@link GpuBenchmarks} beside it, and joins what they found ({@link GpuSummary}). {@code --small} takes tiny
 * shapes and few steps, for the stand-ins.
 *
 * <p><b>Result and reading.</b> In the report; nothing is claimed that did not run on the device that it names.
 */
public final class GpuTests {
    /** Exit code for wrong options, as the programs have it. */
    private static final int USAGE = 2;

    /** Exit code where there is no GPU to test, likewise. */
    private static final int NO_DEVICE = 7;

    private final boolean small;
    private final GpuReport report;
    private boolean lost;

    GpuTests(boolean small, GpuReport report) {
        this.small = small;
        this.report = report;
    }

    /** Why these options are not good, or {@code null}: a word that is not known would leave out what it was to ask for. */
    static String wrong(List<String> options) {
        for (String option : options)
            if (!List.of("--small", "--checks", "--times").contains(option)) return "there is no option " + option;
        return options.contains("--checks") == options.contains("--times")
                ? "--checks times nothing and --times does nothing else: take one of them"
                : null;
    }

    public static void main(String[] args) throws IOException {
        List<String> options = new ArrayList<>(List.of(args));
        if (options.equals(List.of("--make-losses"))) {
            GpuTrainings.makeLosses();
            return;
        }
        Path folder = Path.of(options.isEmpty() || options.get(0).startsWith("--") ? "gpu-report" : options.remove(0));
        if (wrong(options) != null) {
            System.err.println("error: " + wrong(options));
            System.exit(USAGE);
        }
        GpuReport report = new GpuReport(Files.createDirectories(folder));
        GpuTests tests = new GpuTests(options.contains("--small"), report);
        try {
            tests.run(options.contains("--times"));
            System.exit(report.failures().isEmpty() ? 0 : 1);
        } catch (IllegalStateException e) {
            System.err.println("error: " + e.getMessage());
            System.exit(NO_DEVICE);
        }
    }

    private void run(boolean timed) throws IOException {
        report.say("# GPU tests, " + (timed ? "times" : "checks") + (small ? ", small" : ""));
        device(!timed);
        if (timed) times();
        else checks();
        report.say("");
        List<String> failures = report.failures();
        report.say(!failures.isEmpty() ? failures.size() + " FAILED:" : timed ? "Measured." : "All checks passed.");
        for (String failure : failures) report.say("- " + failure);
        report.write();
    }

    private void checks() throws IOException {
        for (Precision precision : Precision.values()) part("ops in " + precision, () -> ops(precision));
        for (Precision precision : List.of(Precision.FP32, Precision.BF16))
            part("norms in " + precision, () -> norms(precision));
        GpuTrainings trainings = new GpuTrainings(report);
        for (GpuTrainings.Run run : GpuTrainings.kept(small))
            for (Precision precision : Precision.values())
                part(run + ", " + precision, () -> trainings.train(run, precision));
        for (GpuTrainings.Run run : GpuTrainings.large(small))
            for (Precision precision : List.of(Precision.TF32, Precision.BF16))
                part(run + ", " + precision, () -> trainings.sameBits(run, precision));
    }

    private void times() throws IOException {
        GpuTimes times = new GpuTimes(report, small);
        part("training steps", times::training);
        part("sampling", times::sampling);
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
            report.fail(name + ": " + e);
            report.say("stopped: " + e);
            e.printStackTrace();
            lost = !computes();
            if (lost)
                report.fail("the device does not compute any more, what was to follow \"" + name
                        + "\" is left out; once more"
                        + " with JAVA_TOOL_OPTIONS=-D" + CudaBackend.MEET + "=false, where no blocks of a norm wait for"
                        + " others");
        }
        report.write();
    }

    static boolean computes() {
        try (Backend backend = Backends.open("cuda").backend();
                Scope scope = Scope.open("probe")) {
            return Tensor.full(backend, DType.F32, Shape.of(1), 2).item() == 2;
        } catch (IllegalStateException | OutOfMemoryError e) {
            return false;
        }
    }

    private void device(boolean inFull) {
        if (inFull) for (String library : CudaBackend.libraries()) report.say("- " + library);
        try (Backend backend = Backends.open("cuda").backend()) {
            report.say("- " + backend.description());
            report.put("device", backend.description());
        }
        report.put("small", small);
    }

    private void ops(Precision precision) {
        try (Backend backend = Backends.open("cuda", 0, precision).backend()) {
            GpuParity.Outcome outcome = GpuParity.run(backend, precision, GpuParity.cases(!small));
            report.say("");
            report.say("## Ops in " + precision + ": " + outcome.cases() + " cases, "
                    + outcome.wrong().size() + " wrong; worst " + outcome.worst());
            for (String wrong : outcome.wrong()) report.fail(precision + ": " + wrong);
            report.put("ops " + precision, Map.of("cases", (long) outcome.cases(), "wrong", (long)
                    outcome.wrong().size()));
        }
    }

    /** Of the networks, with 4 channels a group and with 12; and one image so large that many blocks must meet. */
    private static final List<Shape> LARGE_NORMS =
            List.of(Shape.of(64, 1024, 128), Shape.of(32, 1023, 384), Shape.of(1, 65536, 128));

    /** Every way to launch large norms. */
    private void norms(Precision precision) {
        List<Shape> shapes = small ? List.of(Shape.of(2, 257, 64)) : LARGE_NORMS;
        for (Shape shape : shapes) {
            NormTrials.Outcome found = NormTrials.run(precision, shape, 32, GpuParity.bound(precision));
            report.say("");
            report.say(String.format(
                    Locale.ROOT,
                    "## Norms of %s in %s: %d ways to launch them, of which %d with meetings, %d wrong; worst %.1e",
                    shape,
                    precision,
                    found.ways(),
                    found.meetings(),
                    found.wrong().size(),
                    found.worst()));
            for (String wrong : found.wrong()) report.fail(precision + ": " + wrong);
            report.put(
                    "norms " + shape + " " + precision,
                    Map.of(
                            "ways",
                            (long) found.ways(),
                            "wrong",
                            (long) found.wrong().size(),
                            "worst",
                            GpuReport.number(found.worst())));
        }
    }
}
