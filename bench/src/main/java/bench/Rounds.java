package bench;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.PrintWriter;
import java.io.UncheckedIOException;
import java.net.URISyntaxException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/**
 * Lets contestants do the same task in turn, each in a process of its own, so that whatever slows the machine down for a
 * while meets all of them:
 *
 * <pre>round 1: ours rival   round 2: rival ours   …      ratio of a round = rival's time / ours      result: the median</pre>
 *
 * <p>By the wall clock a round during which other processes took more than {@link #POLLUTED} of the machine does not count.
 * By the processor clock, which is right for one thread only, it does: the time for which the thread had a core hardly
 * depends on what others do.
 */
public final class Rounds implements AutoCloseable {
    /** Share of the machine that others may take during a round by the wall clock. */
    public static final double POLLUTED = 0.04;

    /** A sample lasts at least this long, in ns; a fast task is repeated. */
    private static final long SAMPLE = 50_000_000;

    private static final List<Path> TCMALLOC = List.of(
            Path.of("/usr/lib/x86_64-linux-gnu/libtcmalloc_minimal.so.4"),
            Path.of("/usr/lib64/libtcmalloc_minimal.so.4"));

    /** How time is told. */
    public enum Clock {
        WALL,
        CPU
    }

    /**
     * What came of a task.
     *
     * @param milliseconds of each contestant, one for each round that counts
     * @param peakMiB largest resident memory of each contestant's process so far
     * @param dropped rounds that did not count
     * @param others mean share of the machine that processes outside the contest took meanwhile, 0 … 1
     */
    public record Result(
            Map<String, List<Double>> milliseconds, Map<String, Long> peakMiB, int dropped, double others) {
        /** The median of rival's time over ours, round by round; above 1 we are faster. */
        public double ratio(String rival, String ours) {
            List<Double> a = milliseconds.get(rival);
            List<Double> b = milliseconds.get(ours);
            double[] ratios = new double[a.size()];
            for (int i = 0; i < ratios.length; i++) ratios[i] = a.get(i) / b.get(i);
            return median(ratios);
        }

        /** The median time of one. */
        public double median(String contestant) {
            return median(
                    milliseconds.get(contestant).stream().mapToDouble(x -> x).toArray());
        }

        /** Of an even number, the mean of the middle two. */
        static double median(double[] values) {
            if (values.length == 0) return Double.NaN;
            double[] sorted = values.clone();
            Arrays.sort(sorted);
            int n = sorted.length;
            return (sorted[n / 2] + sorted[(n - 1) / 2]) / 2;
        }

        /** How many rounds count. */
        public int rounds() {
            return milliseconds.isEmpty()
                    ? 0
                    : milliseconds.values().iterator().next().size();
        }
    }

    /** A process with a contestant in it. */
    private static final class Seat {
        final Process process;
        final PrintWriter orders;
        final BufferedReader answers;
        int repeats = 1;

        Seat(Process process) {
            this.process = process;
            orders = new PrintWriter(process.getOutputStream(), true, StandardCharsets.UTF_8);
            answers = new BufferedReader(new InputStreamReader(process.getInputStream(), StandardCharsets.UTF_8));
        }

        String order(String text) {
            orders.println(text);
            try {
                for (String line; (line = answers.readLine()) != null; )
                    if (line.startsWith("= ")) return line.substring(2);
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
            throw new IllegalStateException("a contestant has died over the order: " + text);
        }

        /** {wall ns, cpu ns, others}. */
        double[] time(int n) {
            return Arrays.stream(order("time " + n).split(" "))
                    .mapToDouble(Double::parseDouble)
                    .toArray();
        }
    }

    private final Map<String, Seat> seats = new LinkedHashMap<>();
    private final Clock clock;

    /**
     * Seats the contestants.
     *
     * @param names who takes part; see {@link Contestant}
     * @param threads each computes on
     * @param slow {@code CALL:FACTOR} makes our own call slower on purpose; empty for nothing
     */
    public Rounds(List<String> names, int threads, Clock clock, String slow) {
        if (clock == Clock.CPU && threads != 1)
            throw new IllegalArgumentException("the processor clock is right for one thread only");
        this.clock = clock;
        try {
            for (String name : names) seats.put(name, new Seat(start(name, threads, name.equals("ours") ? slow : "")));
        } catch (IOException e) {
            throw new UncheckedIOException("a contestant cannot be started", e);
        }
    }

    private static Process start(String name, int threads, String slow) throws IOException {
        List<String> command = new ArrayList<>(List.of(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-Xmx768m",
                "-XX:+UseSerialGC",
                "--enable-native-access=ALL-UNNAMED"));
        ProcessBuilder builder = new ProcessBuilder().redirectError(ProcessBuilder.Redirect.INHERIT);
        if (name.startsWith("libtorch")) {
            Path libraries = libtorch();
            command.addAll(List.of(
                    "-Djava.library.path=" + libraries,
                    "-Dorg.bytedeco.javacpp.pathsFirst=true",
                    "-Dorg.bytedeco.javacpp.maxPhysicalBytes=0",
                    "-Dorg.bytedeco.javacpp.nopointergc=true"));
            Map<String, String> environment = builder.environment();
            environment.put("LD_LIBRARY_PATH", libraries.toString());
            environment.put("OPENBLAS_NUM_THREADS", "1");
            TCMALLOC.stream()
                    .filter(Files::exists)
                    .findFirst()
                    .ifPresent(file -> environment.put("LD_PRELOAD", file.toString()));
        }
        command.addAll(List.of(
                "-cp",
                System.getProperty("java.class.path"),
                Worker.class.getName(),
                name,
                Integer.toString(threads),
                slow));
        return builder.command(command).start();
    }

    /** The allocator that libtorch gets: without tcmalloc it is 1.6 times slower, which would be no rival. */
    public static String allocator() {
        return TCMALLOC.stream().anyMatch(Files::exists) ? "tcmalloc" : "glibc's malloc, for there is no tcmalloc here";
    }

    /** Where the build has put libtorch: beside the classes. */
    private static Path libtorch() {
        try {
            return Path.of(Rounds.class
                            .getProtectionDomain()
                            .getCodeSource()
                            .getLocation()
                            .toURI())
                    .resolveSibling("libtorch");
        } catch (URISyntaxException e) {
            throw new IllegalStateException(e);
        }
    }

    /** Everybody who has a part in the task does it once, and then {@code rounds} times in turn. */
    public Result run(Task task, int rounds) {
        Map<String, Seat> present = new LinkedHashMap<>();
        seats.forEach((name, seat) -> {
            if (seat.order("prepare " + task).equals("ready")) present.put(name, seat);
        });
        for (Seat seat : present.values()) {
            seat.time(1);
            double nanos = Math.max(1, seat.time(2)[clock.ordinal()]);
            seat.repeats = (int) Math.max(1, Math.min(1000, Math.ceil(SAMPLE / nanos)));
        }
        Map<String, List<Double>> milliseconds = new LinkedHashMap<>();
        present.keySet().forEach(name -> milliseconds.put(name, new ArrayList<>()));
        int dropped = 0;
        double sum = 0;
        for (int round = 0; round < rounds; round++) {
            List<String> order = new ArrayList<>(present.keySet());
            Collections.rotate(order, round);
            Map<String, Double> times = new TreeMap<>();
            double others = 0;
            for (String name : order) {
                Seat seat = present.get(name);
                double[] sample = seat.time(seat.repeats);
                times.put(name, 1e-6 * sample[clock.ordinal()]);
                others = Math.max(others, sample[2]);
                sum += sample[2] / present.size() / rounds;
            }
            if (clock == Clock.WALL && others > POLLUTED) dropped++;
            else times.forEach((name, ms) -> milliseconds.get(name).add(ms));
        }
        Map<String, Long> peaks = new LinkedHashMap<>();
        present.forEach((name, seat) -> peaks.put(name, Long.parseLong(seat.order("peak"))));
        return new Result(milliseconds, peaks, dropped, sum);
    }

    @Override
    public void close() {
        for (Seat seat : seats.values()) {
            seat.orders.close();
            try {
                seat.process.waitFor();
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            }
        }
    }
}
