package bench;

import bench.kernel.KernelCall;
import ddpm.train.Settings;
import ddpm.train.Training;
import java.lang.management.ManagementFactory;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.function.LongSupplier;
import nativelib.FreeCores;
import optim.LearningRate;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import tensor.backend.Backend;
import tensor.backend.Backends;
import tensor.backend.Precision;
import tensor.memory.Scope;

/**
 * <b>Question.</b> Where does a training step spend its time, and how much of that is more than the machine needs?
 *
 * <p><b>Method.</b> A preset trains on random images. Every call that reaches the backend is timed and its work counted
 * ({@link Meter}, {@link Work}); the first steps do not count. The floor of a call is what its operations or its bytes take
 * at the machine's measured peak ({@link Peaks}), whichever is more; a call whose tensors stay in the cache can be below it.
 *
 * <p><b>How to run.</b> {@code bench/run.sh Profile annotated-resnet --batch 128 --backend cpu}; {@code --shapes 20} names
 * the twenty costliest calls by shape.
 *
 * <p><b>Reading.</b> Calls are sorted by what could be won: time above the floor. "outside" is everything between the
 * calls: tape, scopes, data, Java.
 */
@Command(name = "bench.Profile", usageHelpAutoWidth = true, description = "Where a training step spends its time.")
public final class Profile implements Callable<Integer> {
    private static final int WARM = 3;

    /** Sums over the measured steps. */
    private static final class Sum {
        int calls;
        double seconds;
        double flop;
        double bytes;
        double floor;

        void add(double seconds, Work work, Peaks peaks, Precision precision) {
            calls++;
            this.seconds += seconds;
            flop += work.flop();
            bytes += work.bytes();
            floor += work.seconds(peaks, precision);
        }

        double above() {
            return seconds - floor;
        }
    }

    @Parameters(paramLabel = "PRESET", description = "quick, annotated, annotated-resnet or ddpm-cifar10")
    private String preset;

    @Option(names = "--batch", defaultValue = "0", description = "images in a step (default: the preset's)")
    private int batch;

    @Option(names = "--backend", defaultValue = "auto", description = "who computes (default: ${DEFAULT-VALUE})")
    private String backend;

    @Option(names = "--precision", description = "fp32, tf32 or bf16 (default: what the backend does by itself)")
    private Precision precision;

    @Option(names = "--threads", defaultValue = "0", description = "threads; 0: those that are free")
    private int threads;

    @Option(names = "--steps", defaultValue = "5", description = "measured steps (default: ${DEFAULT-VALUE})")
    private int steps;

    @Option(names = "--shapes", defaultValue = "0", description = "how many calls to list by shape as well")
    private int shapes;

    @Option(
            names = "--clock",
            defaultValue = "wall",
            description =
                    "wall, or cpu: the time for which the computing thread had a core. On a busy machine the second is"
                            + " steadier; it is right with --threads 1 only (default: ${DEFAULT-VALUE})")
    private String clock;

    private LongSupplier time = System::nanoTime;
    private final Map<String, Sum> byCall = new LinkedHashMap<>();
    private final Map<String, Sum> byShape = new LinkedHashMap<>();

    public static void main(String[] args) {
        Locale.setDefault(Locale.ROOT);
        System.exit(new CommandLine(new Profile())
                .setCaseInsensitiveEnumValuesAllowed(true)
                .execute(args));
    }

    @Override
    public Integer call() {
        if (!clock.equals("wall")) {
            if (!clock.equals("cpu") || threads != 1) {
                System.err.println("error: --clock is wall, or, with --threads 1, cpu");
                return 2;
            }
            time = ManagementFactory.getThreadMXBean()::getCurrentThreadCpuTime;
        }
        Meter.install();
        Meter.clock(time);
        Settings settings = Workload.settings(preset, batch);
        // before the backend keeps this thread, and those it starts, off its workers' cores
        Peaks peaks = Peaks.measure(threads > 0 ? threads : FreeCores.all());
        try (Backend on = Backends.open(backend, threads, precision).backend();
                Scope root = Scope.open("profile");
                Training training = Workload.training(settings, on)) {
            System.out.println("machine   " + Machine.describe());
            System.out.println("backend   " + on.name() + ", " + on.description());
            System.out.println("peaks     " + peaks + (on.name().equals("cuda") ? " (of the processor!)" : ""));
            LearningRate rate = settings.learningRate(Long.MAX_VALUE);
            for (int i = 0; i < WARM; i++) training.step(rate);
            double unwatched = seconds(training, rate);
            Meter.watch((who, name, arguments, nanos) -> {
                Work work = Work.of(name, arguments);
                byCall.computeIfAbsent(name, k -> new Sum()).add(nanos * 1e-9, work, peaks, on.precision());
                if (shapes > 0)
                    byShape.computeIfAbsent(KernelCall.describe(name, arguments), k -> new Sum())
                            .add(nanos * 1e-9, work, peaks, on.precision());
            });
            Load load = Load.start();
            double watched = seconds(training, rate);
            double others = load.others();
            Meter.watch(null);
            System.out.printf(
                    "step      %s, batch %d, %s: %.1f ms (%.1f ms with the meter on) by the %s clock, mean of %d; other processes took %.0f %%"
                            + " of the machine; tensors at most %d MiB%n%n",
                    preset,
                    settings.batchSize(),
                    on.precision(),
                    1e3 * unwatched,
                    1e3 * watched,
                    clock,
                    steps,
                    100 * others,
                    on.memory().peak() >> 20);
            table("call", byCall, byCall.size(), watched);
            if (shapes > 0) table("call and shapes", byShape, shapes, watched);
        }
        return 0;
    }

    /** Seconds a step, the mean. */
    private double seconds(Training training, LearningRate rate) {
        long begin = time.getAsLong();
        for (int i = 0; i < steps; i++) training.step(rate);
        return (time.getAsLong() - begin) * 1e-9 / steps;
    }

    private void table(String what, Map<String, Sum> rows, int most, double step) {
        List<Map.Entry<String, Sum>> sorted = new ArrayList<>(rows.entrySet());
        sorted.sort(Comparator.comparingDouble(row -> -row.getValue().above()));
        Sum all = new Sum();
        System.out.printf(
                "| %s | calls | ms/step | share | GFLOP/s | GB/s | floor ms | above floor ms |%n"
                        + "|---|---|---|---|---|---|---|---|%n",
                what);
        for (Map.Entry<String, Sum> row : sorted) {
            Sum sum = row.getValue();
            all.calls += sum.calls;
            all.seconds += sum.seconds;
            all.flop += sum.flop;
            all.bytes += sum.bytes;
            all.floor += sum.floor;
            if (most-- > 0) line(row.getKey(), sum, step);
        }
        line("all calls", all, step);
        double outside = step - all.seconds / steps;
        System.out.printf("| outside | | %.2f | %.1f %% | | | | |%n%n", 1e3 * outside, 100 * outside / step);
    }

    private void line(String name, Sum sum, double step) {
        System.out.printf(
                "| %s | %.0f | %.2f | %.1f %% | %s | %.1f | %.2f | %.2f |%n",
                name,
                (double) sum.calls / steps,
                1e3 * sum.seconds / steps,
                100 * sum.seconds / steps / step,
                sum.flop == 0 ? "" : String.format("%.0f", 1e-9 * sum.flop / sum.seconds),
                1e-9 * sum.bytes / sum.seconds,
                1e3 * sum.floor / steps,
                1e3 * sum.above() / steps);
    }
}
