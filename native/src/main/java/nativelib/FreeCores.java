package nativelib;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/**
 * How many cores other processes leave to us, and which. Threads that spin for a partner which is waiting for a core turn a
 * microsecond into milliseconds, so it is better to have one thread less than one too many.
 *
 * <pre>free = cores − round(others' busy ticks / elapsed ticks per core)      1 ≤ free ≤ cores we may use</pre>
 */
public final class FreeCores {
    private static final int SAMPLE_MS = 100;

    /** Asked once, early: when a thread has been kept off the workers' cores, Java counts those that are left to it. */
    private static final int ALL = Runtime.getRuntime().availableProcessors();

    /** The numbers of those that were busy when they were last counted; {@code null} before. */
    private static volatile int[] busy;

    private FreeCores() {}

    /** The cores that this process may use. */
    public static int all() {
        return ALL;
    }

    /** Watches the system for a tenth of a second; all cores where there is no {@code /proc/stat}. */
    public static int count() {
        busy = new int[0];
        try {
            List<String> system = Files.readAllLines(Path.of("/proc/stat"));
            String self = Files.readString(Path.of("/proc/self/stat"));
            Thread.sleep(SAMPLE_MS);
            List<String> systemAfter = Files.readAllLines(Path.of("/proc/stat"));
            busy = busy(system, systemAfter);
            return count(system, self, systemAfter, Files.readString(Path.of("/proc/self/stat")), ALL);
        } catch (IOException e) {
            return ALL;
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            return ALL;
        }
    }

    /**
     * The numbers of the cores that were not idle when they were last counted, which is done now if it never was: where the
     * workers of other processes are pinned, unless these wait just then. Two processes that count at the same moment do not
     * see each other.
     */
    static int[] busy() {
        if (busy == null) count();
        return busy;
    }

    /** The cores that were idle for less than half of the time between two readings of {@code /proc/stat}. */
    static int[] busy(List<String> before, List<String> after) {
        return after.stream()
                .filter(line -> line.matches("cpu\\d+ .*"))
                .map(line -> line.substring(0, line.indexOf(' ')))
                .filter(core -> {
                    long elapsed = ticks(after, core, 1, 8) - ticks(before, core, 1, 8);
                    long idle = ticks(after, core, 4, 5) - ticks(before, core, 4, 5);
                    return 2 * idle < elapsed;
                })
                .mapToInt(core -> Integer.parseInt(core.substring(3)))
                .toArray();
    }

    /** The count from two readings of {@code /proc/stat} and {@code /proc/self/stat}. */
    static int count(
            List<String> systemBefore, String selfBefore, List<String> systemAfter, String selfAfter, int allowed) {
        long cores =
                systemAfter.stream().filter(line -> line.matches("cpu\\d+ .*")).count();
        long elapsed = ticks(systemAfter, "cpu", 1, 8) - ticks(systemBefore, "cpu", 1, 8); // summed over the cores
        if (elapsed <= 0 || cores == 0) return allowed;
        long idle = ticks(systemAfter, "cpu", 4, 5) - ticks(systemBefore, "cpu", 4, 5);
        long ours = ownTicks(selfAfter) - ownTicks(selfBefore);
        double others = Math.max(0, elapsed - idle - ours);
        int free = (int) (cores - Math.round(others * cores / elapsed));
        return Math.max(1, Math.min(free, allowed));
    }

    /**
     * Sum of the columns {@code from … to} of the line of a core, or {@code cpu} for all: 1 user, 2 nice, 3 system, 4 idle,
     * 5 iowait, … 8 steal.
     */
    private static long ticks(List<String> stat, String core, int from, int to) {
        for (String line : stat)
            if (line.startsWith(core + " ")) {
                String[] columns = line.trim().split("\\s+");
                long sum = 0;
                for (int i = from; i <= Math.min(to, columns.length - 1); i++) sum += Long.parseLong(columns[i]);
                return sum;
            }
        return 0;
    }

    /** utime + stime: the fields 14 and 15. The second field, the name, may contain anything, so counting starts after it. */
    private static long ownTicks(String stat) {
        String[] fields = stat.substring(stat.lastIndexOf(')') + 2).split(" ");
        return Long.parseLong(fields[11]) + Long.parseLong(fields[12]);
    }
}
