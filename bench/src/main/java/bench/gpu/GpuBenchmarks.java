package bench.gpu;

import bench.Work;
import bench.gpu.Floor.Times;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.Callable;
import org.openjdk.jmh.results.RunResult;
import org.openjdk.jmh.results.format.ResultFormatType;
import org.openjdk.jmh.runner.Runner;
import org.openjdk.jmh.runner.RunnerException;
import org.openjdk.jmh.runner.options.OptionsBuilder;
import org.openjdk.jmh.runner.options.TimeValue;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import tensor.backend.Backend;
import tensor.backend.Backends;

/**
 * <b>Question.</b> How much does the engine add to cuDNN's and cuBLAS's calls on a GPU?
 *
 * <p><b>Method.</b> {@link GpuBenchmark} by JMH, every {@linkplain GpuCall#all call} for us and for the library alone, one
 * after the other, in one process: one warm-up iteration of 60 ms, four of 50 ms. With {@code --gate}, a call that is below
 * its floor is measured once more, the two taking turns, and fails when it is below again.
 *
 * <p><b>How to run.</b> {@code bench/gpu-pack.sh} makes a folder that needs a driver, cuBLAS and cuDNN; there, {@code
 * ./run-gpu-benchmarks [FOLDER] [--gate]}, a minute and a half. {@code FOLDER} (gpu-report) gets {@code benchmarks.json},
 * JMH's own file, and {@code benchmarks.md}. {@code --slow TEXT} makes each of our calls with this text in its name twice on
 * purpose: then the gate must fail. {@code --small} takes tiny shapes, for the stand-ins.
 *
 * <p><b>Reading.</b> Ratio is the library's time over ours: 1 is no overhead. cuDNN's convolution is by the
 * algorithm that our side has chosen, but for the 1x1 one, which is a product by cuBLAS on our side. cuDNN has
 * no group norm; a norm over whole images is its batch norm when each image is a channel. Inputs that fit the
 * device's cache stay there between two calls, for both sides.
 */
@Command(
        name = "bench.gpu.GpuBenchmarks",
        usageHelpAutoWidth = true,
        description = "Our calls on a GPU beside cuDNN's and cuBLAS's alone.")
public final class GpuBenchmarks implements Callable<Integer> {
    /** Turns of the second try. */
    private static final int ROUNDS = 15;

    @Parameters(arity = "0..1", defaultValue = "gpu-report", description = "where the results go (${DEFAULT-VALUE})")
    private Path out;

    @Option(names = "--gate", description = "fail when a call is below its floor")
    private boolean gate;

    @Option(
            names = "--floors",
            defaultValue = "bench/gpu-gate.json",
            description = "the gate's rows (default: ${DEFAULT-VALUE})")
    private Path file;

    @Option(names = "--small", description = "tiny shapes")
    private boolean small;

    @Option(
            names = "--slow",
            defaultValue = "",
            description = "our calls with this text in their names are made twice, on purpose")
    private String slow;

    public static void main(String[] args) {
        Locale.setDefault(Locale.ROOT);
        System.exit(new CommandLine(new GpuBenchmarks()).execute(args));
    }

    @Override
    public Integer call() throws IOException, RunnerException {
        Map<String, Floor> floors = gate ? Floor.read(file) : Map.of();
        List<GpuCall> calls = small ? GpuCall.small() : GpuCall.all();
        Files.createDirectories(out);
        StringBuilder page = new StringBuilder("# Calls on the GPU, ours and the library's alone\n\n");
        try (Backend backend = Backends.open("cuda").backend()) {
            page.append("- device: ").append(backend.description()).append('\n');
        } catch (IllegalStateException e) {
            System.err.println(e.getMessage());
            return 1;
        }
        page.append("- ")
                .append(GpuBenchmark.CALLS)
                .append(" calls between two waits; JMH's average time in microseconds, error of 99.9 %; Java ")
                .append(Runtime.version())
                .append("\n\n");
        try {
            GpuPair.slow(slow);
            long start = System.nanoTime();
            Map<GpuCall, Times> times = measure(calls, page);
            page.append(String.format("%nMeasured in %.0f s.%n", (System.nanoTime() - start) * 1e-9));
            int failures = failed(times, page);
            if (gate) failures += judge(times, floors, page);
            System.out.println(page);
            Files.writeString(out.resolve("benchmarks.md"), page);
            return failures == 0 ? 0 : 1;
        } finally {
            GpuBenchmark.closeAll();
        }
    }

    private Map<GpuCall, Times> measure(List<GpuCall> calls, StringBuilder page) throws RunnerException {
        OptionsBuilder options = new OptionsBuilder();
        options.include(GpuBenchmark.class.getName())
                .param("call", calls.stream().map(GpuCall::toString).toArray(String[]::new))
                .forks(0)
                .warmupIterations(1)
                .warmupTime(TimeValue.milliseconds(small ? 10 : 60))
                .measurementIterations(small ? 2 : 4)
                .measurementTime(TimeValue.milliseconds(small ? 10 : 50))
                .result(out.resolve("benchmarks.json").toString())
                .resultFormat(ResultFormatType.JSON);
        Map<String, RunResult> results = new HashMap<>();
        for (RunResult r : new Runner(options.build()).run()) {
            String method = r.getPrimaryResult().getLabel();
            results.put(
                    method + " " + r.getParams().getParam("side") + " "
                            + r.getParams().getParam("call"),
                    r);
        }
        page.append(
                        "| call | precision | ours µs | raw µs | raw / ours | host µs, ours | host µs, raw | TFLOP/s | GB/s |\n")
                .append("|---|---|---|---|---|---|---|---|---|\n");
        Map<GpuCall, Times> times = new LinkedHashMap<>();
        for (GpuCall call : calls) {
            Times t = new Times(
                    score(results, "device ours " + call),
                    score(results, "device raw " + call),
                    score(results, "host ours " + call),
                    score(results, "host raw " + call));
            times.put(call, t);
            Work work = call.work();
            page.append(String.format(
                    "| %s | %s | %.2f ± %.2f | %.2f ± %.2f | %.3f | %.2f | %.2f | %s | %.0f |%n",
                    call.name(),
                    call.precision(),
                    t.ours(),
                    error(results, "device ours " + call),
                    t.raw(),
                    error(results, "device raw " + call),
                    t.raw() / t.ours(),
                    t.ourHost(),
                    t.rawHost(),
                    work.flop() == 0 ? "" : String.format("%.1f", 1e-6 * work.flop() / t.ours()),
                    1e-3 * work.bytes() / t.ours()));
        }
        return times;
    }

    private static double score(Map<String, RunResult> results, String key) {
        RunResult result = results.get(key);
        return result == null ? Double.NaN : result.getPrimaryResult().getScore();
    }

    private static double error(Map<String, RunResult> results, String key) {
        RunResult result = results.get(key);
        return result == null ? Double.NaN : result.getPrimaryResult().getScoreError();
    }

    /** How many calls ended with an exception, which JMH has printed; their times are missing. */
    private static int failed(Map<GpuCall, Times> times, StringBuilder page) {
        int failures = 0;
        for (Map.Entry<GpuCall, Times> each : times.entrySet()) {
            if (each.getValue().complete()) continue;
            failures++;
            page.append(String.format("%n%s failed; JMH's output says why.%n", each.getKey()));
        }
        return failures;
    }

    /** How many calls that ran are below their floors twice. */
    static int judge(Map<GpuCall, Times> times, Map<String, Floor> floors, StringBuilder page) {
        List<String> failures = new ArrayList<>();
        times.forEach((call, first) -> {
            Floor floor = floors.get(call.name());
            if (floor == null) {
                failures.add(call + ": has no row in the gate");
                return;
            }
            if (!first.complete() || floor.passes(first)) return;
            Times second = inTurn(call);
            if (!floor.passes(second))
                failures.add(String.format(
                        "%s: ours %.2f, the library's %.2f µs, %.2f and %.2f of them on the host; allowed are a ratio of"
                                + " %.3f or %.1f µs",
                        call,
                        second.ours(),
                        second.raw(),
                        second.ourHost(),
                        second.rawHost(),
                        floor.ratio(),
                        floor.microseconds()));
        });
        page.append(
                failures.isEmpty()
                        ? "\nThe gate is open.\n"
                        : "\nThe gate is shut: " + failures.size()
                                + " calls are below their floors, in two tries each.\n\n");
        for (String failure : failures) page.append("- ").append(failure).append('\n');
        return failures.size();
    }

    /** Medians of rounds in which both sides take turns. */
    private static Times inTurn(GpuCall call) {
        double[][] samples = new double[4][ROUNDS];
        try (GpuPair pair = GpuBenchmark.pair(call)) {
            for (int i = -3; i < ROUNDS; i++) {
                double[] ours = sample(pair.ours(), pair::awaitOurs);
                double[] raw = sample(pair.raw(), pair::awaitRaw);
                if (i < 0) continue;
                samples[0][i] = ours[0];
                samples[1][i] = raw[0];
                samples[2][i] = ours[1];
                samples[3][i] = raw[1];
            }
        }
        for (double[] each : samples) Arrays.sort(each);
        int middle = ROUNDS / 2;
        return new Times(samples[0][middle], samples[1][middle], samples[2][middle], samples[3][middle]);
    }

    /** Microseconds of a call: {until finished, until in the queue}. */
    private static double[] sample(Runnable enqueue, Runnable await) {
        long start = System.nanoTime();
        for (int i = 0; i < GpuBenchmark.CALLS; i++) enqueue.run();
        long queued = System.nanoTime();
        await.run();
        double each = 1e-3 / GpuBenchmark.CALLS;
        return new double[] {(System.nanoTime() - start) * each, (queued - start) * each};
    }
}
