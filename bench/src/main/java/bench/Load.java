package bench;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import nativelib.FreeCores;

/**
 * How much of the machine other processes took since a moment, from {@code /proc}. Two threads that wait for each other on
 * two cores stall badly when a third wants one, so a measurement during which others worked is not one.
 */
public final class Load {
    private final double busy = busyTicks();
    private final double own = ownTicks();
    private final long begin = System.nanoTime();

    private Load() {}

    /** Begins to watch. */
    public static Load start() {
        return new Load();
    }

    /** The part of all cores' time since the start that went to other processes than this one; 0 … 1. */
    public double others() {
        double ticks = (busyTicks() - busy) - (ownTicks() - own);
        double elapsed = (System.nanoTime() - begin) * 1e-9 * 100; // the kernel's clock ticks 100 times a second
        return Math.max(0, ticks / elapsed / FreeCores.all());
    }

    /** Ticks of all cores that were neither idle nor waiting for a disk. */
    private static double busyTicks() {
        String[] columns = lines("/proc/stat").get(0).trim().split("\\s+");
        double sum = 0;
        for (int i = 1; i <= 8 && i < columns.length; i++) if (i != 4 && i != 5) sum += Double.parseDouble(columns[i]);
        return sum;
    }

    /** utime + stime of this process: the fields 14 and 15. */
    private static double ownTicks() {
        String stat = lines("/proc/self/stat").get(0);
        String[] fields = stat.substring(stat.lastIndexOf(')') + 2).split(" ");
        return Double.parseDouble(fields[11]) + Double.parseDouble(fields[12]);
    }

    /** The largest resident memory of this process so far, in MiB. */
    public static long peakMiB() {
        for (String line : lines("/proc/self/status"))
            if (line.startsWith("VmHWM:")) return Long.parseLong(line.replaceAll("\\D", "")) >> 10;
        throw new IllegalStateException("/proc/self/status does not name VmHWM");
    }

    private static List<String> lines(String file) {
        try {
            return Files.readAllLines(Path.of(file));
        } catch (IOException e) {
            throw new UncheckedIOException("benchmarks need Linux: " + file + " cannot be read", e);
        }
    }
}
