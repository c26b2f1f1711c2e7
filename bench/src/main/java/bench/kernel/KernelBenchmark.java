package bench.kernel;

import bench.Contestant;
import bench.Launch;
import bench.Task;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.Warmup;
import org.openjdk.jmh.runner.Runner;
import org.openjdk.jmh.runner.RunnerException;
import org.openjdk.jmh.runner.options.OptionsBuilder;
import tensor.backend.Precision;

/**
 * <b>Question.</b> How long does one call take at a network's shape, by JMH's rules, for us, for bare oneDNN and for libtorch?
 *
 * <p><b>Method.</b> One fork for each contestant and call; 2 warm-up iterations of 1 s, 5 measured ones; average time. A call
 * has finished when it returns: nothing is asynchronous on the processor.
 *
 * <p><b>How to run.</b> {@code RIVALS=1 bench/run.sh kernel.KernelBenchmark "Conv2d: resnet, 3x3, 28 to 28 @ 28 / conv2d"}, on
 * a quiet machine; {@code bench.Kernels} names the calls. {@code JAVA_OPTS="-Dby=ours,onednn,libtorch,libtorch-cl
 * -Dthreads=2 -Dprecision=bf16"} says who takes part, on how many threads, how exactly.
 *
 * <p><b>Reading.</b> JMH measures contestants one after the other. Where the machine is shared, {@link bench.Kernels}, which
 * lets them take turns, is the better judge.
 */
@State(Scope.Benchmark)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.MILLISECONDS)
@Warmup(iterations = 2, time = 1)
@Measurement(iterations = 5, time = 1)
@Fork(1)
public class KernelBenchmark {
    /** Name of the call. */
    @Param("Conv2d: resnet, 3x3, 112 to 112 @ 7 / conv2d")
    public String kernel;

    /** Name of the contestant. */
    @Param("ours")
    public String by;

    /** How many threads compute. */
    @Param("1")
    public int threads;

    /** How exactly, as {@link Precision} is written. */
    @Param("fp32")
    public String precision;

    private Runnable body;

    /** Records the call. */
    @Setup
    public void prepare() {
        Precision exactness = Precision.valueOf(precision.toUpperCase(Locale.ROOT));
        body = Contestant.named(by, threads, exactness)
                .prepare(Task.kernel(kernel, exactness))
                .orElseThrow(() -> new IllegalArgumentException(by + " has no part in " + kernel));
    }

    /** The call. */
    @Benchmark
    public void run() {
        body.run();
    }

    /** JMH of one contestant, in a process that it can compute in: JMH's forks are started like their parent. */
    public static final class OfOne {
        private OfOne() {}

        /** Who, threads, precision, and then the calls. */
        public static void main(String[] args) throws RunnerException {
            OptionsBuilder options = new OptionsBuilder();
            options.include(KernelBenchmark.class.getSimpleName())
                    .shouldFailOnError(true)
                    .param("by", args[0])
                    .param("threads", args[1])
                    .param("precision", args[2]);
            if (args.length > 3) options.param("kernel", Arrays.copyOfRange(args, 3, args.length));
            new Runner(options.build()).run();
        }
    }

    public static void main(String[] args) throws IOException, InterruptedException {
        String precision = System.getProperty("precision", "fp32");
        for (String who : System.getProperty("by", "ours,onednn").split(",")) {
            List<String> command =
                    new ArrayList<>(List.of(OfOne.class.getName(), who, System.getProperty("threads", "1"), precision));
            command.addAll(Arrays.asList(args));
            int code = Launch.of(
                            who, Precision.valueOf(precision.toUpperCase(Locale.ROOT)), command.toArray(new String[0]))
                    .inheritIO()
                    .start()
                    .waitFor();
            if (code != 0) System.exit(code);
        }
    }
}
