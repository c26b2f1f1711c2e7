package bench;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.PrintWriter;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.EnumMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import tensor.backend.Precision;

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
    private static final long SAMPLE = 100_000_000;

    /** Whole steps are run for so long, in ns, before they count: a virtual machine compiles meanwhile what runs often. */
    private static final long WARM = 5_000_000_000L;

    /** By the wall clock, at most this many rounds are tried for each that is wanted. */
    private static final int PATIENCE = 3;

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
        final String name;
        final Process process;
        final PrintWriter orders;
        final BufferedReader answers;
        int repeats = 1;

        Seat(String name, Process process) {
            this.name = name;
            this.process = process;
            orders = new PrintWriter(process.getOutputStream(), true, StandardCharsets.UTF_8);
            answers = new BufferedReader(new InputStreamReader(process.getInputStream(), StandardCharsets.UTF_8));
        }

        String order(String text) {
            orders.println(text);
            return answer("over the order: " + text);
        }

        String answer(String occasion) {
            try {
                for (String line; (line = answers.readLine()) != null; )
                    if (line.startsWith("= ")) return line.substring(2);
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
            throw new IllegalStateException(name + " has died " + occasion);
        }

        void leave() {
            orders.close();
            try {
                process.waitFor();
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            }
        }

        /** {wall ns, cpu ns, others}. */
        double[] time(int n) {
            return Arrays.stream(order("time " + n).split(" "))
                    .mapToDouble(Double::parseDouble)
                    .toArray();
        }
    }

    private final List<String> names;
    private final int threads;
    private final Clock clock;
    private final String slow;
    private final Map<Precision, Map<String, Seat>> seats = new EnumMap<>(Precision.class);

    /**
     * Invites the contestants; their processes start with the first task in a precision.
     *
     * @param names who takes part; see {@link Contestant}
     * @param threads each computes on
     * @param slow {@code CALL:FACTOR} makes our own call slower on purpose; empty for nothing
     */
    public Rounds(List<String> names, int threads, Clock clock, String slow) {
        if (clock == Clock.CPU && threads != 1)
            throw new IllegalArgumentException("the processor clock is right for one thread only");
        this.names = List.copyOf(names);
        this.threads = threads;
        this.clock = clock;
        this.slow = slow;
    }

    private Map<String, Seat> seats(Precision precision) {
        return seats.computeIfAbsent(precision, p -> {
            Map<String, Seat> all = new LinkedHashMap<>();
            for (String name : names) {
                ProcessBuilder process = Launch.of(
                        name,
                        p,
                        Worker.class.getName(),
                        name,
                        Integer.toString(threads),
                        p.toString(),
                        name.equals("ours") ? slow : "");
                try {
                    all.put(name, new Seat(name, process.start()));
                } catch (IOException e) {
                    throw new UncheckedIOException(name + " cannot be started", e);
                }
            }
            for (Seat seat : all.values()) {
                String greeting = seat.answer("at its start");
                if (greeting.equals(Worker.HERE)) continue;
                all.values().forEach(Seat::leave);
                throw new UnsupportedOperationException(greeting);
            }
            return all;
        });
    }

    /**
     * Everybody who has a part in the task does it until it is warm, and then in turn until {@code rounds} count, or three
     * times as many have been tried.
     *
     * @throws IllegalStateException when a contestant has died, or no round counted; all processes start anew with the next
     *     task
     * @throws UnsupportedOperationException when a contestant cannot start, whatever the task
     */
    public Result run(Task task, int rounds) {
        try {
            return contest(task, rounds);
        } catch (IllegalStateException e) {
            close();
            throw e;
        }
    }

    private Result contest(Task task, int rounds) {
        Map<String, Seat> present = new LinkedHashMap<>();
        seats(task.precision()).forEach((name, seat) -> {
            if (seat.order("prepare " + task).equals("ready")) present.put(name, seat);
        });
        for (Seat seat : present.values()) {
            seat.time(1);
            double cold = Math.max(1, seat.time(1)[Clock.WALL.ordinal()]);
            boolean whole = task.kind() == Task.Kind.STEP || task.kind() == Task.Kind.SAMPLE;
            int warm = (int) Math.max(1, Math.min(1000, (whole ? WARM : SAMPLE) / cold));
            double nanos = Math.max(1, seat.time(warm)[clock.ordinal()]);
            seat.repeats = (int) Math.max(1, Math.min(1000, Math.ceil(SAMPLE / nanos)));
        }
        Map<String, List<Double>> milliseconds = new LinkedHashMap<>();
        present.keySet().forEach(name -> milliseconds.put(name, new ArrayList<>()));
        int counted = 0;
        int tried = 0;
        double sum = 0;
        while (counted < rounds && tried < PATIENCE * rounds) {
            List<String> order = new ArrayList<>(present.keySet());
            Collections.rotate(order, tried++);
            Map<String, Double> times = new TreeMap<>();
            double elapsed = 0;
            double taken = 0;
            for (String name : order) {
                Seat seat = present.get(name);
                double[] sample = seat.time(seat.repeats);
                times.put(name, 1e-6 * sample[clock.ordinal()]);
                double lasted = sample[Clock.WALL.ordinal()] * seat.repeats;
                elapsed += lasted;
                taken += lasted * sample[2];
            }
            double others =
                    taken / elapsed; // of the whole round: the kernel counts in ticks, of which a sample has few
            sum += others;
            if (clock == Clock.WALL && others > POLLUTED) continue;
            times.forEach((name, ms) -> milliseconds.get(name).add(ms));
            counted++;
        }
        if (counted == 0 && rounds > 0)
            throw new IllegalStateException("others took more than " + Math.round(100 * POLLUTED)
                    + " % of the machine in each of " + tried + " rounds");
        Map<String, Long> peaks = new LinkedHashMap<>();
        present.forEach((name, seat) -> peaks.put(name, Long.parseLong(seat.order("peak"))));
        return new Result(milliseconds, peaks, tried - counted, sum / tried);
    }

    @Override
    public void close() {
        seats.values().forEach(all -> all.values().forEach(Seat::leave));
        seats.clear();
    }
}
