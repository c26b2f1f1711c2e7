package bench;

import bench.kernel.KernelCall;
import bench.kernel.StepCalls;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.Callable;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import tensor.backend.Backend;
import tensor.backend.Backends;
import tensor.backend.Precision;
import tensor.memory.Scope;

/**
 * <b>Question.</b> Which kinds of op make up a training step, for us and for libtorch?
 *
 * <p><b>Method.</b> The distinct calls of a step are recorded and then repeated one by one, we and libtorch in turn
 * ({@link Rounds}); a kind's time is the sum over its calls of count times median. What is left of the whole step, measured
 * likewise, is the rest: for us tape, scopes and data, for libtorch also what it has no counterpart to one of our calls for.
 *
 * <p><b>How to run.</b> {@code RIVALS=1 bench/run.sh StepParts annotated-resnet --batch 128 --out bench/results/step-parts} writes
 * a table and a picture.
 *
 * <p><b>Reading.</b> A call that is repeated finds its arguments in the cache more often than in a step, for both.
 */
@Command(name = "bench.StepParts", usageHelpAutoWidth = true, description = "A training step by kinds of op.")
public final class StepParts implements Callable<Integer> {
    @Parameters(paramLabel = "PRESET")
    private String preset;

    @Option(names = "--batch", defaultValue = "32", description = "images in a step (default: ${DEFAULT-VALUE})")
    private int batch;

    @Option(names = "--precision", defaultValue = "fp32", description = "fp32 or bf16 (default: ${DEFAULT-VALUE})")
    private Precision precision;

    @Option(names = "--rival", defaultValue = "libtorch", description = "libtorch or libtorch-cl")
    private String rival;

    @Option(names = "--threads", defaultValue = "0", description = "threads; 0: all cores")
    private int threads;

    @Option(names = "--clock", defaultValue = "WALL", description = "WALL or, with one thread, CPU")
    private Rounds.Clock clock;

    @Option(names = "--rounds", defaultValue = "5", description = "rounds (default: ${DEFAULT-VALUE})")
    private int rounds;

    @Option(names = "--out", description = "path and name of the files to write, without .md and .svg")
    private Path out;

    public static void main(String[] args) {
        Locale.setDefault(Locale.ROOT);
        System.exit(new CommandLine(new StepParts())
                .setCaseInsensitiveEnumValuesAllowed(true)
                .execute(args));
    }

    /** The kind of op a call belongs to. */
    static String kind(String call) {
        return switch (call) {
            case "conv2d" -> "convolution";
            case "conv2dBackwardData" -> "convolution, dx";
            case "conv2dBackwardWeights" -> "convolution, dw";
            case "matmul" -> "product";
            case "groupNorm", "groupNormBackward" -> "norms";
            case "attention", "attentionBackward", "linearAttention", "linearAttentionBackward" -> "attention";
            case "cast", "unary", "binary", "dropout", "reduce", "softmax", "softmaxBackward" -> "pointwise, sums";
            case "copy", "gather", "scatterAdd" -> "movement";
            case "adam", "exponentialAverage", "sumOfSquares" -> "update";
            default -> "rest";
        };
    }

    @Override
    public Integer call() throws IOException {
        int count = threads > 0 ? threads : Runtime.getRuntime().availableProcessors();
        String name = preset + ", " + precision + ", batch " + batch;
        Document document =
                new Document(out == null ? null : Path.of(out + ".md"), "A training step by kinds of op: " + name);
        document.conditions(clock, count, rounds, Peaks.measure(count));
        Map<String, double[]> parts = new TreeMap<>(); // ours, rival's
        double alone = 0; // our time in calls that the rival has no counterpart for
        int missing = 0;
        Ledger ledger = Ledger.ofThisCommit();
        List<Counted> calls = list();
        try (Rounds contest = new Rounds(List.of("ours", rival), count, clock, "")) {
            for (int i = 0; i < calls.size(); i++) {
                Task task = new Task(Task.Kind.CALL, preset + "/" + i, batch, precision);
                Counted call = calls.get(i);
                Rounds.Result r;
                try {
                    r = ledger.get(key(task, count), rounds, () -> contest.run(task, rounds));
                } catch (IllegalStateException e) { // one that cannot be measured must not cost the others
                    document.line("Not measured: " + call.text + ", " + call.times + " times: " + e.getMessage());
                    document.line("");
                    missing++;
                    continue;
                }
                document.note(r);
                boolean both = r.milliseconds().containsKey(rival);
                double ours = call.times * r.median("ours");
                double its = both ? call.times * r.median(rival) : 0;
                double[] sum = parts.computeIfAbsent(call.kind, k -> new double[2]);
                sum[0] += ours;
                sum[1] += its;
                if (!both) alone += ours;
                System.out.printf(
                        "%d of %d: %s, %d times, %.2f and %s ms%n",
                        i + 1, calls.size(), call.text, call.times, ours, both ? String.format("%.2f", its) : "no");
            }
        }
        Task step = new Task(Task.Kind.STEP, preset, batch, precision);
        Rounds.Result whole = ledger.get(key(step, count), rounds, () -> {
            try (Rounds contest = new Rounds(List.of("ours", rival), count, clock, "")) {
                return contest.run(step, rounds);
            }
        });
        document.note(whole);
        double[] rest = {whole.median("ours"), whole.median(rival)};
        for (double[] sum : parts.values()) for (int who = 0; who < 2; who++) rest[who] -= sum[who];
        Map<String, double[]> rows = new LinkedHashMap<>(parts);
        rows.put("rest", rest);
        document.line("| kind | ours ms | " + rival + " ms |");
        document.line("|---|---|---|");
        rows.forEach((kind, ms) -> document.line(String.format("| %s | %.1f | %.1f |", kind, ms[0], ms[1])));
        document.line(String.format("| whole step | %.1f | %.1f |", whole.median("ours"), whole.median(rival)));
        document.line("");
        document.line(String.format(
                "%d distinct calls. Of our time, %.1f ms are in calls without a counterpart among its ops; what it needs for the same is in"
                        + " its rest.",
                calls.size(), alone));
        if (out != null) {
            document.line("");
            document.line("![step by kinds](" + out.getFileName() + ".svg)");
            Files.writeString(
                    Path.of(out + ".svg"), new BarPlot("ms in one step of " + name, "ours", rival, rows).toSvg());
        }
        document.save();
        return missing == 0 ? 0 : 1;
    }

    private String key(Task task, int count) {
        return task + " " + clock + " " + count + " " + rival;
    }

    /** A distinct call of the step. */
    private record Counted(String kind, String text, int times) {}

    /** In the order in which the contestants number them. */
    private List<Counted> list() {
        Meter.install();
        List<Counted> all = new ArrayList<>();
        try (Backend backend = Backends.open("cpu", 0, precision).backend();
                Scope scope = Scope.open("list");
                StepCalls step = new StepCalls(preset, batch, backend)) {
            for (KernelCall call : step.calls())
                all.add(new Counted(kind(call.name()), call.toString(), step.count(call)));
        }
        return all;
    }
}
