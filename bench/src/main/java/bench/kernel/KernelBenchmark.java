package bench.kernel;

import bench.Contestant;
import bench.Task;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
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

/**
 * <b>Question.</b> How long does one call take at a network's shape, by JMH's rules, for us, for bare oneDNN and for libtorch?
 *
 * <p><b>Method.</b> One fork for each contestant and call; 2 warm-up iterations of 1 s, 5 measured ones; average time. A call
 * has finished when it returns: nothing is asynchronous on the processor.
 *
 * <p><b>How to run.</b> {@code RIVALS=1 bench/run.sh kernel.KernelBenchmark "Conv2d: resnet, 3x3, 28 to 28 @ 28 / conv2d"}, on
 * a quiet machine; {@code Kernels} names the calls. Contestants: {@code -Dby=ours,onednn,libtorch,libtorch-cl}.
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

    private Runnable body;

    /** Records the call. */
    @Setup
    public void prepare() {
        body = Contestant.named(by, threads)
                .prepare(Task.kernel(kernel))
                .orElseThrow(() -> new IllegalArgumentException(by + " has no part in " + kernel));
    }

    /** The call. */
    @Benchmark
    public void run() {
        body.run();
    }

    public static void main(String[] args) throws RunnerException {
        List<String> jvm =
                new ArrayList<>(List.of("-Xmx768m", "-XX:+UseSerialGC", "--enable-native-access=ALL-UNNAMED"));
        String libraries = System.getenv("LD_LIBRARY_PATH"); // run.sh sets it for libtorch
        if (libraries != null)
            jvm.addAll(List.of(
                    "-Djava.library.path=" + Path.of(libraries),
                    "-Dorg.bytedeco.javacpp.pathsFirst=true",
                    "-Dorg.bytedeco.javacpp.maxPhysicalBytes=0",
                    "-Dorg.bytedeco.javacpp.nopointergc=true"));
        OptionsBuilder options = new OptionsBuilder();
        options.include(KernelBenchmark.class.getSimpleName())
                .param("by", System.getProperty("by", "ours,onednn").split(","))
                .param("threads", System.getProperty("threads", "1"))
                .jvmArgs(jvm.toArray(new String[0]));
        if (args.length > 0) options.param("kernel", args);
        new Runner(options.build()).run();
    }
}
