package bench;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.LocalDate;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * A page of results, in Markdown. Every line is also printed as it comes, and {@link #save} writes what there is so far, so
 * that a run which is cut leaves a page.
 */
final class Document {
    /** What a commit's name ends with when its sources have been changed. */
    static final String CHANGED = "-dirty";

    private final Path file;
    private final StringBuilder text = new StringBuilder();
    private double others;
    private int results;

    /** @param file where to write the page; {@code null} prints it only */
    Document(Path file, String title) {
        this.file = file;
        line("# " + title);
        line("");
    }

    void line(String line) {
        System.out.println(line);
        text.append(line).append('\n');
    }

    /** On what, when and how the figures were taken. */
    void conditions(Rounds.Clock clock, int threads, int rounds, Peaks peaks) {
        line("- machine: " + Machine.describe());
        line("- peaks: " + peaks);
        line("- versions: commit " + commit()
                + ", oneDNN 3.13.0, libtorch 2.7.1 (official build: MKL, oneDNN) in fp32 and"
                + " 2.10.0 (the bindings' build: OpenBLAS, oneDNN; autocast) in bf16, both with " + Launch.allocator());
        line("- " + threads + (threads == 1 ? " thread" : " threads") + ", " + LocalDate.now() + ", " + rounds
                + " rounds wanted, "
                + (clock == Rounds.Clock.CPU
                        ? "processor clock (the time for which the one computing thread had a core)"
                        : "wall clock, rounds dropped during which others took more than "
                                + Math.round(100 * Rounds.POLLUTED) + " % of the machine"));
        line("");
    }

    /** The last commit that changed more than pages of results, with {@link #CHANGED} behind it when files differ from it. */
    static String commit() {
        try {
            String[] sources = {"--", ":/", ":(top,exclude)bench/results"};
            String name = git(sources, "log", "-1", "--format=%h").strip();
            String changes = git(sources, "status", "--porcelain", "--untracked-files=no");
            return changes.isBlank() ? name : name + CHANGED;
        } catch (IOException e) {
            return "unknown";
        }
    }

    private static String git(String[] paths, String... arguments) throws IOException {
        List<String> command = new ArrayList<>(List.of("git"));
        command.addAll(Arrays.asList(arguments));
        command.addAll(Arrays.asList(paths));
        Process git = new ProcessBuilder(command).redirectErrorStream(true).start();
        String output = new String(git.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        try {
            if (git.waitFor() == 0) return output;
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
        throw new IOException("git failed: " + output);
    }

    /** Counts what processes outside the contest took during a result. */
    void note(Rounds.Result result) {
        others += result.others();
        results++;
    }

    /** Writes the page as far as it goes. */
    void save() {
        if (file == null) return;
        String share = results == 0
                ? ""
                : String.format("%nOther processes took %.0f %% of the machine meanwhile.%n", 100 * others / results);
        try {
            if (file.getParent() != null) Files.createDirectories(file.getParent());
            Files.writeString(file, text + share);
        } catch (IOException e) {
            throw new UncheckedIOException(file + " cannot be written", e);
        }
    }
}
