package bench;

import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.Callable;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/**
 * <b>Question.</b> How long does a whole training step take, and a whole sampling step, and how much memory, against
 * libtorch in its better layout?
 *
 * <p><b>Method.</b> Every contestant in a process of its own, in turn ({@link Rounds}); a process for each task, so that its
 * peak of resident memory is the task's.
 *
 * <p><b>How to run.</b> {@code RIVALS=1 bench/run.sh StepTimes step:annotated-resnet:128 sample:annotated-resnet:64}; without
 * tasks, those of the table in the documents.
 *
 * <p><b>Reading.</b> Ratios are libtorch's time over ours, the median over the rounds: above 1 we are faster.
 */
@Command(name = "bench.StepTimes", usageHelpAutoWidth = true, description = "Whole steps against libtorch.")
public final class StepTimes implements Callable<Integer> {
    @Parameters(
            defaultValue = "",
            description = "tasks, such as step:annotated-resnet:128 (default: those of the issue's table)")
    private List<String> tasks;

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
    public Integer call() throws IOException {
        int count = threads > 0 ? threads : Runtime.getRuntime().availableProcessors();
        Document document = new Document("Whole steps");
        document.conditions(clock, count, rounds, Peaks.measure(count));
        document.line("| task (kind:preset:batch) | ours ms | libtorch ms | its ratio | channels last ms | its ratio |"
                + " better rival / ours | our MiB | its MiB, better | rounds, dropped |");
        document.line("|---|---|---|---|---|---|---|---|---|---|");
        List<String> wanted = tasks.equals(List.of("")) ? defaults() : tasks;
        for (String text : wanted) {
            Map<String, Long> memory;
            Rounds.Result r;
            try (Rounds contest = new Rounds(List.of("ours", "libtorch", "libtorch-cl"), count, clock, "")) {
                r = contest.run(Task.of(text), rounds);
                document.note(r);
                memory = r.peakMiB();
            }
            double plain = r.ratio("libtorch", "ours");
            double last = r.ratio("libtorch-cl", "ours");
            String better = plain <= last ? "libtorch" : "libtorch-cl";
            document.line(String.format(
                    "| %s | %.1f | %.1f | %.2f | %.1f | %.2f | **%.2f** | %d | %d | %d, %d |",
                    text,
                    r.median("ours"),
                    r.median("libtorch"),
                    plain,
                    r.median("libtorch-cl"),
                    last,
                    Math.min(plain, last),
                    memory.get("ours"),
                    memory.get(better),
                    r.rounds(),
                    r.dropped()));
        }
        document.write(out);
        return 0;
    }

    private static List<String> defaults() {
        return List.of(
                "step:annotated-resnet:128",
                "sample:annotated-resnet:64",
                "step:annotated:128",
                "sample:annotated:64",
                "step:ddpm-cifar10:16",
                "sample:ddpm-cifar10:64");
    }
}
