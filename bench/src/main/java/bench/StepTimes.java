package bench;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.Callable;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/**
 * <b>Question.</b> How long does a training step take, and a step of sampling, against libtorch's best?
 *
 * <p><b>Method.</b> We, libtorch, and libtorch with channels last take turns ({@link Rounds}); a process for each task, so that its
 * peak of resident memory is the task's. In bf16 libtorch computes under autocast, by another build of it ({@link Launch}).
 *
 * <p><b>How to run.</b> {@code RIVALS=1 bench/run.sh StepTimes step:annotated-resnet:128 sample:annotated-resnet:64:bf16};
 * without tasks, those of {@code bench/results/steps.md}. What was measured at this commit is not measured again.
 *
 * <p><b>Reading.</b> Ratios are libtorch's time over ours, the median over the rounds: above 1 we are faster.
 */
@Command(name = "bench.StepTimes", usageHelpAutoWidth = true, description = "Whole steps against libtorch.")
public final class StepTimes implements Callable<Integer> {
    private static final List<String> CONTESTANTS = List.of("ours", "libtorch", "libtorch-cl");

    /** In fp32, and then in bf16. */
    private static final List<String> TABLE = List.of(
            "step:annotated-resnet:128",
            "sample:annotated-resnet:64",
            "step:ddpm-cifar10:16",
            "sample:ddpm-cifar10:64",
            "step:annotated:128");

    @Parameters(arity = "0..*", description = "tasks, such as step:annotated-resnet:128 (default: those of the page)")
    private List<String> tasks = new ArrayList<>();

    @Option(names = "--threads", defaultValue = "0", description = "threads; 0: all cores")
    private int threads;

    @Option(names = "--clock", defaultValue = "WALL", description = "WALL or, with one thread, CPU")
    private Rounds.Clock clock;

    @Option(names = "--rounds", defaultValue = "11", description = "rounds (default: ${DEFAULT-VALUE})")
    private int rounds;

    @Option(names = "--out", description = "the file to write (default: standard output only)")
    private Path out;

    public static void main(String[] args) {
        Locale.setDefault(Locale.ROOT);
        System.exit(new CommandLine(new StepTimes())
                .setCaseInsensitiveEnumValuesAllowed(true)
                .execute(args));
    }

    @Override
    public Integer call() {
        int count = threads > 0 ? threads : Runtime.getRuntime().availableProcessors();
        if (tasks.isEmpty())
            for (String precision : new String[] {"", ":bf16"}) TABLE.forEach(task -> tasks.add(task + precision));
        Document document = new Document(out, "Whole steps");
        document.conditions(clock, count, rounds, Peaks.measure(count));
        document.line("| task (kind:preset:batch) | ours ms | libtorch ms | its ratio | channels last ms | its ratio |"
                + " better rival / ours | our MiB | its MiB, better | rounds, dropped |");
        document.line("|---|---|---|---|---|---|---|---|---|---|");
        Ledger ledger = Ledger.ofThisCommit();
        int missing = 0;
        for (String task : tasks) {
            String row;
            try {
                Rounds.Result r =
                        ledger.get(task + " " + clock + " " + count, rounds, () -> measure(Task.of(task), count));
                document.note(r);
                row = row(r);
            } catch (IllegalStateException
                    | UnsupportedOperationException e) { // one that cannot be measured must not cost the others
                row = " not measured: " + e.getMessage() + " |";
                missing++;
            }
            document.line("| " + task + " |" + row);
            document.save();
        }
        return missing == 0 ? 0 : 1;
    }

    private Rounds.Result measure(Task task, int count) {
        try (Rounds contest = new Rounds(CONTESTANTS, count, clock, "")) {
            return contest.run(task, rounds);
        }
    }

    private static String row(Rounds.Result r) {
        if (!r.milliseconds().keySet().containsAll(CONTESTANTS))
            throw new IllegalStateException("libtorch has no part in it");
        double plain = r.ratio("libtorch", "ours");
        double last = r.ratio("libtorch-cl", "ours");
        String better = plain <= last ? "libtorch" : "libtorch-cl";
        return String.format(
                " %.1f | %.1f | %.2f | %.1f | %.2f | **%.2f** | %d | %d | %d, %d |",
                r.median("ours"),
                r.median("libtorch"),
                plain,
                r.median("libtorch-cl"),
                last,
                Math.min(plain, last),
                r.peakMiB().get("ours"),
                r.peakMiB().get(better),
                r.rounds(),
                r.dropped());
    }
}
