package bench;

import autograd.check.NetworkCases;
import autograd.check.OpCase;
import bench.kernel.KernelCall;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
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
import tensor.memory.Scope;

/**
 * <b>Question.</b> How fast is each call at the networks' shapes: against bare oneDNN, against libtorch in either layout,
 * against what the machine can do?
 *
 * <p><b>Method.</b> The calls of {@link NetworkCases}, forward and backward; contestants take turns ({@link Rounds}).
 *
 * <p><b>How to run.</b> {@code RIVALS=1 bench/run.sh Kernels} writes {@code bench/results/kernels.md}; a word restricts it to
 * cases whose name contains it, as a regular expression.
 *
 * <p><b>Reading.</b> Ratios are the rival's time over ours: above 1 we are faster. "Floor" is the least time by operations
 * or bytes at the measured peak; a call whose arguments stay in the cache may be below it.
 */
@Command(name = "bench.Kernels", usageHelpAutoWidth = true, description = "Every call at the networks' shapes.")
public final class Kernels implements Callable<Integer> {
    private static final List<String> RIVALS = List.of("onednn", "libtorch", "libtorch-cl");

    @Parameters(arity = "0..1", defaultValue = "", description = "regular expression within the names of the cases")
    private String filter;

    @Option(names = "--threads", defaultValue = "0", description = "threads; 0: all cores")
    private int threads;

    @Option(names = "--clock", defaultValue = "WALL", description = "WALL or, with one thread, CPU")
    private Rounds.Clock clock;

    @Option(names = "--rounds", defaultValue = "7", description = "rounds (default: ${DEFAULT-VALUE})")
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
    public Integer call() throws IOException {
        int count = threads > 0 ? threads : Runtime.getRuntime().availableProcessors();
        Map<String, Work> kernels = list();
        Peaks peaks = Peaks.measure(count);
        Document document = new Document("Kernels at the networks' shapes");
        document.conditions(clock, count, rounds, peaks);
        document.line(
                "| call | ours ms | GFLOP/s | GB/s | floor / ours | oneDNN / ours | libtorch / ours | same, channels"
                        + " last / ours | rounds |");
        document.line("|---|---|---|---|---|---|---|---|---|");
        List<String> names = new ArrayList<>(List.of("ours"));
        names.addAll(RIVALS);
        try (Rounds contest = new Rounds(names, count, clock, "")) {
            for (Map.Entry<String, Work> kernel : kernels.entrySet()) {
                Rounds.Result r = contest.run(Task.kernel(kernel.getKey()), rounds);
                document.note(r);
                Work work = kernel.getValue();
                double ms = r.median("ours");
                StringBuilder row = new StringBuilder(String.format(
                        "| %s | %.3f | %s | %.1f | %.0f %% |",
                        kernel.getKey(),
                        ms,
                        work.flop() == 0 ? "" : String.format("%.0f", 1e-6 * work.flop() / ms),
                        1e-6 * work.bytes() / ms,
                        1e5 * work.seconds(peaks) / ms));
                for (String rival : RIVALS)
                    row.append(
                            r.milliseconds().containsKey(rival)
                                    ? String.format(" %.2f |", r.ratio(rival, "ours"))
                                    : " |");
                document.line(row + " " + r.rounds() + " |");
            }
        }
        document.write(out);
        return 0;
    }

    /** Names of the calls, with their work. */
    private Map<String, Work> list() {
        Pattern wanted = Pattern.compile(filter);
        Map<String, Work> kernels = new LinkedHashMap<>();
        Meter.install();
        try (Backend backend = Backends.open("cpu", 0).backend();
                Scope scope = Scope.open("list")) {
            for (OpCase op : NetworkCases.all())
                if (wanted.matcher(op.toString()).find())
                    for (KernelCall call : KernelCall.of(op, backend)) {
                        kernels.put(call.toString(), call.work());
                        call.close();
                    }
        } catch (Exception e) {
            throw new IllegalStateException("the calls cannot be listed: " + e.getMessage(), e);
        }
        return kernels;
    }
}
