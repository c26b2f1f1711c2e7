package bench;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.lang.management.ManagementFactory;
import java.lang.management.ThreadMXBean;
import java.nio.charset.StandardCharsets;
import java.util.Locale;
import java.util.Optional;
import tensor.backend.Precision;

/**
 * One contestant in a process of its own, under orders from {@link Rounds} on standard input. An answer is a line that
 * begins with "= ":
 *
 * <pre>               = here | = REASON    why it cannot start, before any order
 * prepare TASK   = ready | = none
 * time N         = WALL CPU OTHERS    nanoseconds of one run, by the clock and of this thread; share of the machine that
 *                                     other processes took
 * peak           = MIB                largest resident memory so far</pre>
 *
 * Arguments: the contestant's name, its threads, its precision, and {@code CALL:FACTOR}, which makes one of our calls slower,
 * or an empty word.
 */
public final class Worker {
    /** What a contestant says who has started. */
    static final String HERE = "here";

    private Worker() {}

    public static void main(String[] args) throws IOException {
        Locale.setDefault(Locale.ROOT);
        if (!args[3].isEmpty()) {
            String[] slow = args[3].split(":");
            Meter.slow(slow[0], Double.parseDouble(slow[1]));
        }
        Contestant contestant;
        try {
            contestant = Contestant.named(
                    args[0], Integer.parseInt(args[1]), Precision.valueOf(args[2].toUpperCase(Locale.ROOT)));
        } catch (IllegalStateException e) {
            answer(e.getMessage());
            return;
        }
        answer(HERE);
        ThreadMXBean threads = ManagementFactory.getThreadMXBean();
        BufferedReader orders = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        Optional<Runnable> task = Optional.empty();
        for (String line; (line = orders.readLine()) != null; ) {
            String[] words = line.split(" ", 2);
            switch (words[0]) {
                case "prepare" -> {
                    task = contestant.prepare(Task.of(words[1]));
                    answer(task.isPresent() ? "ready" : "none");
                }
                case "time" -> {
                    int n = Integer.parseInt(words[1]);
                    Load load = Load.start();
                    long cpu = threads.getCurrentThreadCpuTime();
                    long wall = System.nanoTime();
                    for (int i = 0; i < n; i++) task.orElseThrow().run();
                    wall = System.nanoTime() - wall;
                    cpu = threads.getCurrentThreadCpuTime() - cpu;
                    answer(wall / n + " " + cpu / n + " " + load.others());
                }
                case "peak" -> answer(Long.toString(Load.peakMiB()));
                default -> throw new IllegalArgumentException("unknown order: " + line);
            }
        }
    }

    private static void answer(String text) {
        System.out.println("= " + text);
        System.out.flush();
    }
}
