package ddpm.report;

import java.io.PrintStream;
import java.util.Locale;
import java.util.function.LongSupplier;

/**
 * How far a run is, on one line. On a terminal the line is drawn over and over, at most ten times a second; elsewhere a
 * plain line is printed every 5 % or 30 s, without carriage returns.
 */
public final class ProgressLine {
    private static final int BAR = 20;
    private static final long REDRAW = 100_000_000L;
    private static final long QUIET = 30_000_000_000L;

    private final PrintStream out;
    private final boolean terminal;
    private final LongSupplier nanoTime;
    private final long started;
    private long printedAt;
    private long printedPart = -1;
    private int shown;

    /** A line on this stream; {@code nanoTime} is a clock in ns. */
    public ProgressLine(PrintStream out, boolean terminal, LongSupplier nanoTime) {
        this.out = out;
        this.terminal = terminal;
        this.nanoTime = nanoTime;
        started = nanoTime.getAsLong();
        printedAt = started - QUIET;
    }

    /** A line on standard output, which is a terminal when there is a console. */
    public static ProgressLine onStandardOutput() {
        return new ProgressLine(System.out, System.console() != null, System::nanoTime);
    }

    /**
     * Draws the state, unless it was drawn a moment ago.
     *
     * @param done steps done in all
     * @param total steps of the run; 0 while unknown
     * @param sinceStart steps done by this process, for the remaining time
     * @param words what else to say: loss, speed
     */
    public void update(long done, long total, long sinceStart, String words) {
        long now = nanoTime.getAsLong();
        boolean last = total > 0 && done >= total;
        if (terminal) {
            if (now - printedAt < REDRAW && !last) return;
            String line = (total > 0 ? bar(done, total) + " " : "") + text(done, total, sinceStart, now, words);
            out.print("\r" + line + " ".repeat(Math.max(0, shown - line.length())));
            shown = line.length();
            if (last) clear();
        } else {
            long part = total > 0 ? 20 * done / total : 0;
            if (part == printedPart && now - printedAt < QUIET && !last) return;
            printedPart = part;
            out.println(text(done, total, sinceStart, now, words));
        }
        out.flush();
        printedAt = now;
    }

    private String text(long done, long total, long sinceStart, long now, String words) {
        if (total <= 0) return "step " + done + "  " + words;
        long left = sinceStart == 0 ? 0 : (long) ((now - started) * 1e-9 / sinceStart * (total - done));
        return String.format(
                Locale.ROOT, "%3d%%  step %d/%d  %s  ETA %s", 100 * done / total, done, total, words, clock(left));
    }

    private static String bar(long done, long total) {
        int full = (int) (BAR * done / total);
        return "[" + "#".repeat(full) + "-".repeat(BAR - full) + "]";
    }

    /** Ends the line, so that something else can be printed. */
    public void clear() {
        if (terminal && shown > 0) out.println();
        shown = 0;
    }

    /** Prints a line of its own. */
    public void say(String line) {
        clear();
        out.println(line);
        out.flush();
    }

    /** Seconds as {@code h:mm:ss} or {@code m:ss}. */
    public static String clock(long seconds) {
        return seconds >= 3600
                ? String.format(Locale.ROOT, "%d:%02d:%02d", seconds / 3600, seconds / 60 % 60, seconds % 60)
                : String.format(Locale.ROOT, "%d:%02d", seconds / 60, seconds % 60);
    }
}
