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
import java.util.concurrent.Callable;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import tensor.backend.Backend;
import tensor.backend.Backends;
import tensor.memory.Scope;

/**
 * <b>Question.</b> Which kinds of op make up a training step, for us and for libtorch?
 *
 * <p><b>Method.</b> The distinct calls of a step are recorded and then repeated one by one, we and libtorch in turn
 * ({@link Rounds}); a kind's time is the sum over its calls of count times median. What is left of the whole step, measured
 * likewise, is the rest: for us tape, scopes and data, for libtorch also the calls that it has no counterpart for.
 *
 * <p><b>How to run.</b> {@code RIVALS=1 bench/run.sh StepParts annotated-resnet --batch 32 --out bench/results/step-parts} writes
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
            case "groupNorm", "groupNormBackward" -> "group norm";
            case "attention", "attentionBackward", "linearAttention", "linearAttentionBackward" -> "attention";
            case "cast", "unary", "binary", "reduce", "softmax", "softmaxBackward" -> "pointwise, sums";
            case "copy", "gather", "scatterAdd" -> "movement";
            case "adam", "exponentialAverage", "sumOfSquares" -> "update";
            default -> "rest";
        };
    }

    @Override
    public Integer call() throws IOException {
        int count = threads > 0 ? threads : Runtime.getRuntime().availableProcessors();
        List<String> kinds = new ArrayList<>();
        List<Integer> times = new ArrayList<>();
        list(kinds, times);
        Document document = new Document("A training step of " + preset + " by kinds of op, batch " + batch);
        document.conditions(clock, count, rounds, Peaks.measure(count));
        Map<String, double[]> parts = new LinkedHashMap<>(); // ours, rival's
        double[] whole = new double[2];
        try (Rounds contest = new Rounds(List.of("ours", rival), count, clock, "")) {
            for (int i = 0; i < kinds.size(); i++) {
                Rounds.Result r = contest.run(new Task(Task.Kind.CALL, preset + "/" + i, batch), rounds);
                document.note(r);
                double[] sum = parts.computeIfAbsent(kinds.get(i), k -> new double[2]);
                sum[0] += times.get(i) * r.median("ours");
                if (r.milliseconds().containsKey(rival)) sum[1] += times.get(i) * r.median(rival);
            }
        }
        try (Rounds contest = new Rounds(List.of("ours", rival), count, clock, "")) {
            Rounds.Result r = contest.run(new Task(Task.Kind.STEP, preset, batch), rounds);
            document.note(r);
            whole[0] = r.median("ours");
            whole[1] = r.median(rival);
        }
        double[] rest = whole.clone();
        parts.values().forEach(sum -> {
            rest[0] -= sum[0];
            rest[1] -= sum[1];
        });
        parts.put("rest", rest);
        document.line("| kind | ours ms | " + rival + " ms |");
        document.line("|---|---|---|");
        parts.forEach((kind, ms) -> document.line(String.format("| %s | %.1f | %.1f |", kind, ms[0], ms[1])));
        document.line(String.format("| whole step | %.1f | %.1f |", whole[0], whole[1]));
        if (out != null) {
            document.line("");
            document.line("![step by kinds](" + out.getFileName() + ".svg)");
        }
        document.write(out == null ? null : Path.of(out + ".md"));
        if (out != null)
            Files.writeString(
                    Path.of(out + ".svg"), new BarPlot("ms in one step of " + preset, "ours", rival, parts).toSvg());
        return 0;
    }

    /** Kind and count of every distinct call, in the order in which the contestants number them. */
    private void list(List<String> kinds, List<Integer> times) {
        Meter.install();
        try (Backend backend = Backends.open("cpu", 0).backend();
                Scope scope = Scope.open("list");
                StepCalls step = new StepCalls(preset, batch, backend)) {
            for (KernelCall call : step.calls()) {
                kinds.add(kind(call.name()));
                times.add(step.count(call));
            }
        }
    }
}
