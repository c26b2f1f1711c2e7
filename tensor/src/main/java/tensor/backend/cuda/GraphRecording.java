package tensor.backend.cuda;

import static jcuda.driver.JCudaDriver.*;

import java.util.LinkedHashSet;
import java.util.Set;
import jcuda.driver.CUgraph;
import jcuda.driver.CUgraphExec;
import jcuda.driver.CUstreamCaptureMode;
import tensor.DType;
import tensor.Tensor;
import tensor.backend.AdamParams;
import tensor.backend.Checks;
import tensor.backend.Recording;
import tensor.memory.Buffer;
import tensor.memory.CachingAllocator;

/**
 * Calls captured in a CUDA graph. While the body runs, the stream notes what it is given instead of doing it; blocks come
 * from an arena of the recording's own, which nobody else uses, so that their addresses can stay in the graph.
 */
final class GraphRecording implements Recording, Recording.Recorder {
    private final Engine engine;
    private final Indices indices;
    private final Joins joins;
    private final Cuts cuts;
    private final CachingAllocator arena;
    private final Updates updates;
    /** What is sent to the host after each replay, or {@code null}. */
    private Tensor sent;
    /** Where it arrives, for the last replay and the one before it; made by the first two. */
    private final ReplayResults[] results = new ReplayResults[2];

    private int next;
    /** Whether all calls are recorded. */
    private boolean complete;

    private final Set<String> indexed = new LinkedHashSet<>();
    /** What was made before, and is written by each replay. */
    private final Set<Buffer> written = new LinkedHashSet<>();

    /** CUDA_GRAPH_INSTANTIATE_FLAG_USE_NODE_PRIORITY: what the streams had when calls were recorded, not that of the replay's. */
    private static final int BY_PRIORITY = 8;

    private final CUgraphExec graph = new CUgraphExec();
    /** Blocks that replays read and nobody else may keep. */
    private final Set<Buffer> held = new LinkedHashSet<>();
    /** Position of the first draw while the body ran; −1 before there was one. */
    private long firstDraw = -1;

    private GraphRecording(Engine engine, Staging staging, Indices indices, Joins joins, Cuts cuts) {
        this.engine = engine;
        this.indices = indices;
        this.joins = joins;
        this.cuts = cuts;
        arena = new CachingAllocator(new Growing(), true);
        updates = new Updates(engine, staging);
    }

    /** The device, until all calls are recorded; what is then asked for is to be lent, and of what is there. */
    private final class Growing implements CachingAllocator.Source {
        @Override
        public long allocate(long bytes) {
            if (complete) throw new OutOfMemoryError("a recording that has been made takes no more");
            return engine.context().allocate(bytes);
        }

        @Override
        public void free(long address, long bytes) {
            engine.context().free(address, bytes);
        }
    }

    /** Everything asked for so far is on the main stream, or waited for there: what comes next may read and write anything. */
    private void settle() {
        make();
        engine.side().join();
        engine.turned().drop();
    }

    /** Makes all that has been put off. */
    private void make() {
        joins.make();
        cuts.make();
        engine.sums().make();
    }

    /** Runs the body with the stream noting down. */
    static GraphRecording record(Engine engine, Staging staging, Indices indices, Joins joins, Cuts cuts, Body body) {
        engine.requireEager("another recording");
        GraphRecording recording = new GraphRecording(engine, staging, indices, joins, cuts);
        CUgraph captured = new CUgraph();
        try {
            recording.capture(body, captured);
            Status.driver(cuGraphInstantiate(recording.graph, captured, BY_PRIORITY), "cuGraphInstantiate");
            recording.complete = true;
        } finally {
            cuGraphDestroy(captured); // refused when there is none
            if (!recording.complete) recording.discard();
        }
        engine.lending().add(recording.arena);
        return recording;
    }

    private void capture(Body body, CUgraph captured) {
        settle(); // nothing of what came before is to become part of the recording
        engine.arena().trim(); // what the same calls have used before is as much as they will take
        // relaxed: the arena may ask the driver for memory meanwhile
        Status.driver(
                cuStreamBeginCapture(engine.context().main(), CUstreamCaptureMode.CU_STREAM_CAPTURE_MODE_RELAXED),
                "cuStreamBeginCapture");
        engine.recording(this);
        int status;
        try {
            try {
                body.run(this);
                make();
            } finally {
                engine.turned().drop();
                engine.side().join(); // a capture ends on the stream where it began
            }
        } finally {
            engine.recording(null);
            status = cuStreamEndCapture(engine.context().main(), captured);
        }
        Status.driver(status, "cuStreamEndCapture");
    }

    CachingAllocator arena() {
        return arena;
    }

    /** Where kernels find the numbers of the replay; 0 where nothing is being recorded. */
    static long numbers(GraphRecording recording) {
        return recording == null ? 0 : recording.updates.step();
    }

    /** A position in the random stream: in a recording counted from its first draw, whose own a replay is told. */
    static long position(GraphRecording recording, long offset) {
        return recording == null ? offset : recording.fromFirstDraw(offset);
    }

    private long fromFirstDraw(long offset) {
        if (firstDraw < 0) firstDraw = offset;
        return offset - firstDraw;
    }

    /** Notes that indices are looked up in the recorded calls. */
    void indexed(String what) {
        indexed.add(what);
    }

    /** Keeps a block that a recorded call reads for as long as it may be replayed. */
    void holds(Buffer buffer) {
        if (!engine.owns(buffer) && held.add(buffer)) buffer.retain();
    }

    /** Notes that a recorded call writes into this block. */
    void writes(Buffer buffer) {
        if (!engine.owns(buffer)) written.add(buffer);
    }

    @Override
    public void update(
            AdamParams p,
            double limit,
            Tensor loss,
            Tensor[] w,
            Tensor[] dw,
            Tensor[] m,
            Tensor[] v,
            Tensor[] average) {
        Checks.adam(w[0].backend(), w, dw, m, v);
        if (average != null) Checks.exponentialAverage(w[0].backend(), 0, average, w);
        for (Tensor[] outputs : new Tensor[][] {w, m, v, average}) if (outputs != null) joins.written(outputs);
        updates.recorded(p, limit, loss, w, dw, m, v, average);
    }

    @Override
    public void send(Tensor results) {
        if (sent != null) throw new IllegalStateException("a second tensor cannot be sent: a recording sends one");
        if (results.dtype() != DType.F32)
            throw new IllegalArgumentException("what a recording sends is float32, not " + results.dtype());
        sent = results;
    }

    @Override
    public Replay replay(Numbers now) {
        engine.context().enter();
        settle();
        engine.lending().giveBack(arena);
        for (Buffer buffer : written) if (buffer.isLive()) buffer.written();
        updates.set(now);
        Status.driver(cuGraphLaunch(graph, engine.context().main()), "cuGraphLaunch");
        indices.called(indexed);
        next = 1 - next;
        if (results[next] == null) results[next] = new ReplayResults(engine, updates, indices, indexed, sent);
        return results[next].send();
    }

    private void discard() {
        joins.forget(); // their parts were never written
        engine.sums().forget();
        cuts.forget();
        updates.close();
        held.forEach(Buffer::release);
        arena.retire();
    }

    @Override
    public void close() {
        engine.context().enter();
        settle(); // what has been put off or aside may hold blocks of the recording
        engine.context().synchronize();
        Status.driver(cuGraphExecDestroy(graph), "cuGraphExecDestroy");
        updates.close();
        for (ReplayResults each : results) if (each != null) each.close();
        held.forEach(Buffer::release);
        engine.lending().close(arena);
    }
}
