package bench;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.LocalDate;

/** A page of results, in Markdown; every line is also printed as it comes. */
final class Document {
    private final StringBuilder text = new StringBuilder();
    private double others;
    private int results;

    Document(String title) {
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
        line("- versions: commit " + commit() + ", oneDNN 3.13.0, libtorch 2.7.1 (official build: MKL, oneDNN) with "
                + Rounds.allocator());
        line("- dtype fp32, " + threads + (threads == 1 ? " thread" : " threads") + ", " + LocalDate.now() + ", "
                + rounds
                + " rounds asked for, "
                + (clock == Rounds.Clock.CPU
                        ? "processor clock (the time for which the one computing thread had a core)"
                        : "wall clock, rounds dropped during which others took more than "
                                + Math.round(100 * Rounds.POLLUTED) + " % of the machine"));
        line("");
    }

    private static String commit() {
        try {
            Process git = new ProcessBuilder("git", "describe", "--always", "--dirty")
                    .redirectErrorStream(true)
                    .start();
            String name = new String(git.getInputStream().readAllBytes(), StandardCharsets.UTF_8).strip();
            return git.waitFor() == 0 ? name : "unknown";
        } catch (IOException e) {
            return "unknown";
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            return "unknown";
        }
    }

    /** Counts what processes outside the contest took during a result. */
    void note(Rounds.Result result) {
        others += result.others();
        results++;
    }

    /** Ends the page and writes it; {@code null} writes nothing. */
    void write(Path file) throws IOException {
        line("");
        line(String.format("Other processes took %.0f %% of the machine meanwhile.", 100 * others / results));
        if (file == null) return;
        if (file.getParent() != null) Files.createDirectories(file.getParent());
        Files.writeString(file, text);
    }
}
