package bench.gpu;

import java.util.EnumMap;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Level;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OperationsPerInvocation;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;
import tensor.backend.Backend;
import tensor.backend.Backends;
import tensor.backend.Precision;

/**
 * <b>Question.</b> How long does one call take on the GPU, by JMH's rules, for us and for cuDNN or cuBLAS alone; and how long
 * does it keep the host?
 *
 * <p><b>Method.</b> {@link #device}: 20 calls one behind the other, and one wait for the last; time of a call. {@link #host}:
 * the time in which 20 calls are put into the queue; the wait is outside the measured part. Both sides alike, on the same
 * random inputs, in one process, for a fork would search for algorithms and warm the device up once more each time.
 *
 * <p><b>How to run.</b> {@link GpuBenchmarks}. <b>Reading.</b> There.
 */
@State(Scope.Benchmark)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.MICROSECONDS)
@OperationsPerInvocation(GpuBenchmark.CALLS)
public class GpuBenchmark {
    /** Calls between two waits. */
    public static final int CALLS = 20;

    private record Opened(Backend backend, RawCuda raw) {}

    private static final Map<Precision, Opened> OPEN = new EnumMap<>(Precision.class);

    /** Name of the call. */
    @Param("conv2d 3x3, 128 to 128 @ 32, tf32")
    public String call;

    /** {@code ours} or {@code raw}; the last parameter in the alphabet, so that JMH lets the two take turns. */
    @Param({"raw", "ours"})
    public String side;

    private GpuPair pair;
    private Runnable enqueue;
    private Runnable await;

    /** Makes a call ready on the backend and the handles that this process has for its precision. */
    static GpuPair pair(GpuCall call) {
        Opened opened = OPEN.get(call.precision());
        if (opened == null) {
            Backend backend = Backends.open("cuda", 0, call.precision()).backend();
            opened = new Opened(backend, new RawCuda(call.precision()));
            OPEN.put(call.precision(), opened);
        }
        opened.backend.synchronize(); // makes the context current on this thread, which may be a new one
        return new GpuPair(call, opened.backend, opened.raw);
    }

    /** Closes what {@link #pair} has opened. */
    static void closeAll() {
        for (Opened opened : OPEN.values()) {
            opened.backend.synchronize();
            opened.raw.close();
            opened.backend.close();
        }
        OPEN.clear();
    }

    /** Makes both sides ready. */
    @Setup
    public void open() {
        pair = pair(GpuCall.named(call));
        boolean ours = side.equals("ours");
        enqueue = ours ? pair.ours() : pair.raw();
        await = ours ? pair::awaitOurs : pair::awaitRaw;
    }

    /** Empties the queue, outside the measured part. */
    @TearDown(Level.Invocation)
    public void await() {
        await.run();
    }

    /** Releases the inputs. */
    @TearDown
    public void close() {
        pair.close();
    }

    /** Until the device has finished. */
    @Benchmark
    public void device() {
        for (int i = 0; i < CALLS; i++) enqueue.run();
        await.run();
    }

    /** Until the calls are in the queue. */
    @Benchmark
    public void host() {
        for (int i = 0; i < CALLS; i++) enqueue.run();
    }
}
