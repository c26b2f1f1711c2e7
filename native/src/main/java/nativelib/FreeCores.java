package nativelib;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/**
 * How many cores other processes leave to us. Threads that spin for a partner which is waiting for a core turn a
 * microsecond into milliseconds, so it is better to have one thread less than one too many.
 *
 * <pre>free = cores − round(others' busy ticks / elapsed ticks per core)      1 ≤ free ≤ cores we may use</pre>
 */
public final class FreeCores {
    private static final int SAMPLE_MS = 100;

    /** Asked once, early: when a thread has been kept off the workers' cores, Java counts those that are left to it. */
    private static final int ALL = Runtime.getRuntime().availableProcessors();

    private FreeCores() {}

    /** The cores that this process may use. */
    public static int all() {
        return ALL;
    }

    /** Watches the system for a tenth of a second; all cores where there is no {@code /proc/stat}. */
    public static int count() {
        try {
            List<String> system = Files.readAllLines(Path.of("/proc/stat"));
            String self = Files.readString(Path.of("/proc/self/stat"));
            Thread.sleep(SAMPLE_MS);
            return count(
                    system,
                    self,
                    Files.readAllLines(Path.of("/proc/stat")),
                    Files.readString(Path.of("/proc/self/stat")),
                    ALL);
        } catch (IOException e) {
            return ALL;
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            return ALL;
        }
    }

    /** The count from two readings of {@code /proc/stat} and {@code /proc/self/stat}. */
    static int count(
            List<String> systemBefore, String selfBefore, List<String> systemAfter, String selfAfter, int allowed) {
        long cores =
                systemAfter.stream().filter(line -> line.matches("cpu\\d+ .*")).count();
        long elapsed = ticks(systemAfter, 1, 8) - ticks(systemBefore, 1, 8); // summed over the cores
        if (elapsed <= 0 || cores == 0) return allowed;
        long idle = ticks(systemAfter, 4, 5) - ticks(systemBefore, 4, 5);
        long ours = ownTicks(selfAfter) - ownTicks(selfBefore);
        double others = Math.max(0, elapsed - idle - ours);
        int free = (int) (cores - Math.round(others * cores / elapsed));
        return Math.max(1, Math.min(free, allowed));
    }

    /** Sum of the columns {@code from … to} of the line {@code cpu}: 1 user, 2 nice, 3 system, 4 idle, 5 iowait, … 8 steal. */
    private static long ticks(List<String> stat, int from, int to) {
        for (String line : stat)
            if (line.startsWith("cpu ")) {
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
