package bench;

import autograd.check.NetworkCases;
import autograd.check.OpCase;
import bench.kernel.KernelCall;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.regex.Pattern;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import tensor.backend.Backend;
import tensor.backend.Backends;
import tensor.backend.Precision;
import tensor.memory.Scope;

/**
 * <b>Question.</b> How fast is each call at the networks' shapes: against bare oneDNN, against libtorch in either layout,
 * against what the machine can do?
 *
 * <p><b>Method.</b> The calls of {@link NetworkCases}, forward and backward; contestants take turns ({@link Rounds}).
 *
 * <p><b>How to run.</b> {@code RIVALS=1 bench/run.sh Kernels "Conv2d: resnet"}: the cases whose name contains this regular
 * expression; without it all, which takes half an hour. What was measured at this commit is not measured again.
 *
 * <p><b>Reading.</b> Ratios are the rival's time over ours: above 1 we are faster. "Of peak" is the least time by operations
 * or bytes at the measured peak over ours; a call whose arguments stay in the cache may be above 100 %.
 */
@Command(name = "bench.Kernels", usageHelpAutoWidth = true, description = "Every call at the networks' shapes.")
public final class Kernels implements Callable<Integer> {
    private static final List<String> CONTESTANTS = List.of("ours", "onednn", "libtorch", "libtorch-cl");

    @Parameters(arity = "0..1", defaultValue = "", description = "regular expression within the names of the cases")
    private String filter;

    @Option(
            names = "--precision",
            split = ",",
            defaultValue = "fp32,bf16",
            description = "one or both of fp32, bf16 (default: ${DEFAULT-VALUE})")
    private List<Precision> precisions;

    @Option(names = "--threads", defaultValue = "0", description = "threads; 0: all cores")
    private int threads;

    @Option(names = "--clock", defaultValue = "WALL", description = "WALL or, with one thread, CPU")
    private Rounds.Clock clock;

    @Option(names = "--rounds", defaultValue = "5", description = "rounds (default: ${DEFAULT-VALUE})")
    private int rounds;

    @Option(names = "--out", description = "the file to write (default: standard output only)")
    private Path out;

    public static void main(String[] args) {
        Locale.setDefault(Locale.ROOT);
        System.exit(new CommandLine(new Kernels())
                .setCaseInsensitiveEnumValuesAllowed(true)
                .execute(args));
    }

    @Override
    public Integer call() {
        int count = threads > 0 ? threads : Runtime.getRuntime().availableProcessors();
        Peaks peaks = Peaks.measure(count);
        Document document = new Document(out, "Kernels at the networks' shapes");
        document.conditions(clock, count, rounds, peaks);
        Ledger ledger = Ledger.ofThisCommit();
        int missing = 0;
        for (Precision precision : precisions) {
            document.line("## " + precision);
            document.line("");
            Map<String, Work> kernels;
            try {
                kernels = list(precision);
            } catch (IllegalStateException e) {
                document.line("Not measured: " + e.getMessage());
                document.line("");
                missing++;
                continue;
            }
            document.line("| call | ours ms | GFLOP/s | GB/s | of peak | oneDNN / ours | libtorch / ours |"
                    + " same, channels last / ours | rounds |");
            document.line("|---|---|---|---|---|---|---|---|---|");
            try (Rounds contest = new Rounds(CONTESTANTS, count, clock, "")) {
                for (Map.Entry<String, Work> kernel : kernels.entrySet()) {
                    Task task = Task.kernel(kernel.getKey(), precision);
                    String row;
                    try {
                        Rounds.Result r =
                                ledger.get(task + " " + clock + " " + count, rounds, () -> contest.run(task, rounds));
                        document.note(r);
                        row = row(r, kernel.getValue(), peaks, precision);
                    } catch (IllegalStateException e) { // one that cannot be measured must not cost the others
                        row = " not measured: " + e.getMessage() + " |";
                        missing++;
                    }
                    document.line("| " + kernel.getKey() + " |" + row);
                    document.save();
                }
            }
            document.line("");
        }
        document.save();
        return missing == 0 ? 0 : 1;
    }

    private static String row(Rounds.Result r, Work work, Peaks peaks, Precision precision) {
        double ms = r.median("ours");
        StringBuilder row = new StringBuilder(String.format(
                " %.3f | %s | %.1f | %.0f %% |",
                ms,
                work.flop() == 0 ? "" : String.format("%.0f", 1e-6 * work.flop() / ms),
                1e-6 * work.bytes() / ms,
                1e5 * work.seconds(peaks, precision) / ms));
        for (String rival : CONTESTANTS.subList(1, CONTESTANTS.size()))
            row.append(r.milliseconds().containsKey(rival) ? String.format(" %.2f |", r.ratio(rival, "ours")) : " |");
        return row + " " + r.rounds() + " |";
    }

    /** Names of the calls, with their work. */
    private Map<String, Work> list(Precision precision) {
        Pattern wanted = Pattern.compile(filter);
        Map<String, Work> kernels = new LinkedHashMap<>();
        Meter.install();
        try (Backend backend = Backends.open("cpu", 0, precision).backend();
                Scope scope = Scope.open("list")) {
            for (OpCase op : NetworkCases.all())
                if (wanted.matcher(op.toString()).find())
                    for (KernelCall call : KernelCall.of(op, backend)) {
                        kernels.put(call.toString(), call.work());
                        call.close();
                    }
        }
        return kernels;
    }
}
