package tensor.backend.cuda;

import static jcuda.driver.JCudaDriver.*;

import java.util.function.IntSupplier;
import jcuda.driver.CUevent;
import jcuda.driver.CUgraph;
import jcuda.driver.CUgraphExec;
import jcuda.driver.CUstream;
import jcuda.driver.CUstreamCaptureMode;

/**
 * How long a call takes in a recorded step: it is captured several times over, replayed, and timed by the device. What the
 * host needs to queue it, for many of cuDNN's calls longer than they run, does not count, nor does a single stray run.
 */
final class RecordedTime {
    /** Calls in a graph. */
    private static final int CALLS = 8;
    /** Replays that are timed, after one that is not. */
    private static final int REPLAYS = 3;

    private RecordedTime() {}

    /** The same for a call of ours, which is refused where there is no memory for what it needs beside its tensors, or for a graph. */
    static float of(CudaContext context, Runnable call) {
        try {
            return of(context, (IntSupplier) () -> {
                try {
                    call.run();
                    return 0;
                } catch (OutOfMemoryError e) {
                    return 1; // not out of a capture, which is to be ended
                }
            });
        } catch (OutOfMemoryError e) {
            return Float.POSITIVE_INFINITY;
        }
    }

    /**
     * Milliseconds of one call, the least of some replays.
     *
     * @param call queues it; answers other than 0 when it is refused
     * @return infinite when it is refused or cannot be captured
     */
    static float of(CudaContext context, IntSupplier call) {
        if (call.getAsInt() != 0)
            return Float.POSITIVE_INFINITY; // also, what a first call makes ready cannot be captured
        CUgraph captured = new CUgraph();
        CUstream stream = context.stream();
        // relaxed: the arena may ask the driver for memory meanwhile
        Status.driver(
                cuStreamBeginCapture(stream, CUstreamCaptureMode.CU_STREAM_CAPTURE_MODE_RELAXED),
                "cuStreamBeginCapture");
        int refused = 0;
        boolean complete;
        try {
            for (int i = 0; i < CALLS && refused == 0; i++) refused = call.getAsInt();
        } finally {
            complete = cuStreamEndCapture(stream, captured) == 0;
        }
        if (complete && refused == 0) return replayed(stream, captured);
        if (complete) Status.driver(cuGraphDestroy(captured), "cuGraphDestroy");
        return Float.POSITIVE_INFINITY;
    }

    private static float replayed(CUstream stream, CUgraph captured) {
        CUgraphExec graph = new CUgraphExec();
        CUevent begin = new CUevent();
        CUevent end = new CUevent();
        float[] time = new float[1];
        float least = Float.POSITIVE_INFINITY;
        int instantiated = cuGraphInstantiate(graph, captured, 0);
        Status.driver(cuGraphDestroy(captured), "cuGraphDestroy");
        Status.driver(instantiated, "cuGraphInstantiate");
        Status.driver(cuEventCreate(begin, 0), "cuEventCreate");
        Status.driver(cuEventCreate(end, 0), "cuEventCreate");
        try {
            for (int i = -1; i < REPLAYS; i++) {
                Status.driver(cuEventRecord(begin, stream), "cuEventRecord");
                Status.driver(cuGraphLaunch(graph, stream), "cuGraphLaunch");
                Status.driver(cuEventRecord(end, stream), "cuEventRecord");
                Status.driver(cuEventSynchronize(end), "cuEventSynchronize");
                Status.driver(cuEventElapsedTime(time, begin, end), "cuEventElapsedTime");
                if (i >= 0) least = Math.min(least, time[0] / CALLS);
            }
        } finally {
            cuEventDestroy(begin);
            cuEventDestroy(end);
            cuGraphExecDestroy(graph);
        }
        return least;
    }
}
