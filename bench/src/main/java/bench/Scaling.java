package bench;

import ddpm.train.Settings;
import ddpm.train.Training;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.Callable;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import tensor.backend.Backend;
import tensor.backend.Backends;
import tensor.backend.Precision;
import tensor.memory.Scope;

/**
 * <b>Question.</b> Is there a size at which a training step falls off a cliff?
 *
 * <p><b>Method.</b> A step of {@code annotated-resnet}, of which one thing is changed at a time: images in the batch, side of an
 * image, width of the network; each on one thread and on two, in a process of its own, so that the peak of resident memory is
 * the step's. The operations of a step are counted ({@link Work}), so that sizes can be compared by GFLOP/s.
 *
 * <p><b>How to run.</b> {@code bench/run.sh Scaling}; {@code --precision bf16} for the other. Ten minutes. What was measured at
 * this commit is not measured again.
 *
 * <p><b>Reading.</b> Small sizes are slow for each operation, for the calls of a step take a time of their own, and narrow
 * layers leave vectors half empty; large ones approach a constant rate. A cliff would be a size with much less GFLOP/s than the
 * one before it: the page says which step down is the largest.
 */
@Command(name = "bench.Scaling", usageHelpAutoWidth = true, description = "A training step at many sizes.")
public final class Scaling implements Callable<Integer> {
    private static final String PRESET = "annotated-resnet";
    private static final int SIDE = 28;
    private static final int WIDTH = 28;
    private static final int BATCH = 16;

    /** One size. */
    private record Size(String text, int batch, int side, int width) {
        Task task(Precision precision) {
            return new Task(Task.Kind.STEP, PRESET + ",image-size=" + side + ",dim=" + width, batch, precision);
        }
    }

    @Option(names = "--precision", defaultValue = "fp32", description = "fp32 or bf16 (default: ${DEFAULT-VALUE})")
    private Precision precision;

    @Option(
            names = "--threads",
            split = ",",
            defaultValue = "1,2",
            description = "numbers of threads to compare (default: ${DEFAULT-VALUE})")
    private List<Integer> threads;

    @Option(names = "--rounds", defaultValue = "3", description = "rounds (default: ${DEFAULT-VALUE})")
    private int rounds;

    @Option(names = "--out", description = "the file to write (default: standard output only)")
    private Path out;

    private final Ledger ledger = Ledger.ofThisCommit();
    private Document document;
    private String worst = "none";
    private double drop = 1;
    private int missing;

    public static void main(String[] args) {
        Locale.setDefault(Locale.ROOT);
        System.exit(new CommandLine(new Scaling())
                .setCaseInsensitiveEnumValuesAllowed(true)
                .execute(args));
    }

    @Override
    public Integer call() {
        int most = threads.stream().mapToInt(x -> x).max().orElseThrow();
        document = new Document(out, "A training step of " + PRESET + " at many sizes, " + precision);
        document.conditions(Rounds.Clock.WALL, most, rounds, Peaks.measure(most));
        Map<String, List<Size>> tables = new LinkedHashMap<>();
        for (int batch : new int[] {1, 2, 4, 8, 16, 32, 64, 128, 256})
            add(tables, "Images of " + SIDE + "x" + SIDE + ", width " + WIDTH, batch + " images", batch, SIDE, WIDTH);
        for (int side : new int[] {16, 20, 24, 28, 32, 40, 48, 56, 64})
            add(tables, BATCH + " images, width " + WIDTH, side + "x" + side, BATCH, side, WIDTH);
        for (int width : new int[] {16, 24, 28, 32, 48, 64, 96, 128})
            add(tables, BATCH + " images of " + SIDE + "x" + SIDE, "width " + width, BATCH, SIDE, width);
        tables.forEach(this::table);
        document.line("Largest step down in GFLOP/s from one size to the next: " + worst + ".");
        document.save();
        return missing == 0 ? 0 : 1;
    }

    private static void add(Map<String, List<Size>> tables, String title, String text, int batch, int side, int width) {
        tables.computeIfAbsent(title, k -> new ArrayList<>()).add(new Size(text, batch, side, width));
    }

    private void table(String title, List<Size> sizes) {
        document.line("## " + title);
        document.line("");
        StringBuilder head = new StringBuilder("| size |");
        for (int count : threads) {
            String on = count == 1 ? "1 thread" : count + " threads";
            head.append(String.format(" ms, %s | ms an image | GFLOP/s | MiB |", on));
        }
        document.line(head.toString());
        document.line("|---|" + "---|---|---|---|".repeat(threads.size()));
        double[] before = new double[threads.size()];
        for (Size size : sizes) {
            StringBuilder row = new StringBuilder("| " + size.text + " |");
            double flop = flop(size);
            for (int i = 0; i < before.length; i++) row.append(cells(size, threads.get(i), flop, before, i));
            document.line(row.toString());
            document.save();
        }
        document.line("");
    }

    private String cells(Size size, int count, double flop, double[] before, int column) {
        Task task = size.task(precision);
        Rounds.Result r;
        try {
            r = ledger.get(task + " alone " + count, rounds, () -> {
                try (Rounds contest = new Rounds(List.of("ours"), count, Rounds.Clock.WALL, "")) {
                    return contest.run(task, rounds);
                }
            });
        } catch (IllegalStateException
                | UnsupportedOperationException e) { // one that cannot be measured must not cost the others
            missing++;
            return " " + e.getMessage() + " | | | |";
        }
        document.note(r);
        double ms = r.median("ours");
        double rate = 1e-6 * flop / ms;
        if (rate < drop * before[column]) {
            drop = rate / before[column];
            worst = String.format(
                    "%.0f %% (%s, %d %s)", 100 * (drop - 1), size.text, count, count == 1 ? "thread" : "threads");
        }
        before[column] = rate;
        return String.format(
                " %.1f | %.2f | %.0f | %d |",
                ms, ms / size.batch, rate, r.peakMiB().get("ours"));
    }

    /** Operations of a step: those for one image, counted while it is trained on, times the images. */
    private double flop(Size size) {
        Settings settings = Workload.settings(
                new Size("", 1, size.side, size.width).task(precision).what(), 1);
        double[] flop = {0};
        Meter.install();
        try (Backend backend = Backends.open("cpu", 0).backend();
                Scope root = Scope.open("count");
                Training training = Workload.training(settings, backend)) {
            Meter.watch((on, name, arguments, nanos) ->
                    flop[0] += Work.of(name, arguments).flop());
            training.step(settings.learningRate(1));
        } finally {
            Meter.watch(null);
        }
        return size.batch * flop[0];
    }
}
