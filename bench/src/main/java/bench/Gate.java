package bench;

import ddpm.io.Json;
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

/**
 * <b>Question.</b> Has anything become slower against its rivals?
 *
 * <p><b>Method.</b> Every row of {@code bench/gate.json} is a {@link Task}, a rival and a floor. Rival and we take turns
 * ({@link Rounds}) on one thread each, by the processor clock, so that a busy machine does not fail the gate. A row fails
 * when the median of rival's time over ours is below the floor twice, the second time over twice the rounds. How far ahead of
 * libtorch we are depends on the width of the vectors, so those floors are for one instruction set each.
 *
 * <p><b>How to run.</b> {@code mvn verify -Pgate -pl bench -am}, or {@code bench/run.sh Gate --short} for the rows that need
 * no libtorch. {@code --slow conv2d:1.3} makes one of our calls 1.3 times slower on purpose: then the gate must fail.
 *
 * <p><b>Reading.</b> A floor is the clean median times about 0.88, in the middle between the clean median and what a
 * slowdown of 1.3 would leave. It may be raised freely, and lowered only with the reason in its row.
 */
@Command(name = "bench.Gate", usageHelpAutoWidth = true, description = "Fails when we have become slower.")
public final class Gate implements Callable<Integer> {
    /**
     * A line of the gate.
     *
     * @param task what both do
     * @param rival the other one
     * @param isa the instruction set whose machines the floor was measured on and is for, as {@link Machine#isa} names it;
     *     {@code any} for all
     * @param floor smallest ratio of rival's time over ours that passes
     * @param reason where the floor comes from
     */
    record Row(Task task, String rival, String isa, double floor, String reason) {
        Row {
            if (!(floor > 0) || reason.isBlank())
                throw new IllegalArgumentException("a row of the gate needs a floor above 0 and a reason: " + task);
        }
    }

    private static final String ANY = "any";

    @Option(names = "--file", defaultValue = "bench/gate.json", description = "the rows (default: ${DEFAULT-VALUE})")
    private Path file;

    @Option(names = "--short", description = "only rows that need no libtorch")
    private boolean small;

    @Option(names = "--rounds", defaultValue = "7", description = "rounds of a first try (default: ${DEFAULT-VALUE})")
    private int rounds;

    @Option(names = "--slow", defaultValue = "", description = "CALL:FACTOR, makes one of our calls slower on purpose")
    private String slow;

    public static void main(String[] args) {
        Locale.setDefault(Locale.ROOT);
        System.exit(new CommandLine(new Gate()).execute(args));
    }

    /** The rows of a file. */
    static List<Row> read(Path file) throws IOException {
        List<Row> rows = new ArrayList<>();
        if (Json.parse(Files.readString(file)) instanceof Map<?, ?> all && all.get("rows") instanceof List<?> list)
            for (Object each : list)
                if (each instanceof Map<?, ?> row)
                    rows.add(new Row(
                            Task.of((String) row.get("task")),
                            (String) row.get("rival"),
                            row.get("isa") instanceof String isa ? isa : ANY,
                            ((Number) row.get("floor")).doubleValue(),
                            (String) row.get("reason")));
        if (rows.isEmpty()) throw new IOException(file + " has no rows");
        return rows;
    }

    @Override
    public Integer call() throws IOException {
        Map<Task, List<Row>> byTask = new LinkedHashMap<>();
        List<String> names = new ArrayList<>(List.of("ours"));
        for (Row row : read(file)) {
            if (small && row.rival.startsWith("libtorch")) continue;
            if (!row.isa.equals(ANY) && !row.isa.equals(Machine.isa())) continue;
            byTask.computeIfAbsent(row.task, k -> new ArrayList<>()).add(row);
            if (!names.contains(row.rival)) names.add(row.rival);
        }
        int failures = 0;
        System.out.println("machine   " + Machine.describe());
        System.out.println("| task | rival | its ms | our ms | ratio | floor | |\n|---|---|---|---|---|---|---|");
        try (Rounds contest = new Rounds(names, 1, Rounds.Clock.CPU, slow)) {
            for (Map.Entry<Task, List<Row>> entry : byTask.entrySet()) {
                Rounds.Result first = contest.run(entry.getKey(), rounds);
                boolean again = entry.getValue().stream().anyMatch(row -> !passes(row, first));
                Rounds.Result last = again ? contest.run(entry.getKey(), 2 * rounds) : first;
                for (Row row : entry.getValue()) {
                    boolean passed = passes(row, first) || passes(row, last);
                    if (!passed) failures++;
                    Rounds.Result shown = passes(row, first) ? first : last;
                    System.out.printf(
                            "| %s | %s | %.3f | %.3f | %.3f | %.3f | %s |%n",
                            row.task,
                            row.rival,
                            shown.median(row.rival),
                            shown.median("ours"),
                            shown.ratio(row.rival, "ours"),
                            row.floor,
                            passed ? "" : "BELOW");
                }
            }
        }
        System.out.println(
                failures == 0
                        ? "the gate is open"
                        : "the gate is shut: " + failures + " ratios are below their floors, in two tries each");
        return failures == 0 ? 0 : 1;
    }

    private static boolean passes(Row row, Rounds.Result result) {
        return result.ratio(row.rival, "ours") >= row.floor;
    }
}
