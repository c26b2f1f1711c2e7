package tensor.backend.cuda;

import static jcuda.driver.JCudaDriver.*;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import jcuda.driver.CUevent;
import tensor.memory.Buffer;

/**
 * A second queue for what nobody waits for. The gradients of weights are wanted when the sweep is over; meanwhile the device
 * computes them where the first queue, which goes before, leaves room: where the last blocks of a kernel do not fill it,
 * beside small images, in the gaps between kernels.
 *
 * <pre>main  ─ dy ─┬─ dx ── norm′ ─┬─ dx ── …  ─────┬─ update
 *             │               │               │
 * side        └─ dw ── db ────┴─ dw ── db … ──┘</pre>
 *
 * Who touches a result waits for it ({@link Buffer#fence}), and so does who writes to what is read ({@link Buffer#guard}). What
 * is read is held until then, since a released block would be used again in the order of the first queue.
 */
final class SideStream implements AutoCloseable {
    /** Calls that may be under way, and hold on to what they read. */
    private static final int MOST = 8;

    private final CudaContext context;
    private final CUevent fork = event();
    private final Deque<CUevent> events = new ArrayDeque<>();
    private final Deque<Call> underWay = new ArrayDeque<>();
    private Call running;

    /** What was put aside together, and blocks that it uses. */
    private static final class Call {
        final CUevent done;
        final List<Buffer> held = new ArrayList<>();
        boolean joined;

        Call(CUevent done) {
            this.done = done;
        }
    }

    SideStream(CudaContext context) {
        this.context = context;
        for (int i = 0; i < MOST; i++) events.push(event());
    }

    private static CUevent event() {
        CUevent event = new CUevent();
        Status.driver(cuEventCreate(event, 2), "cuEventCreate"); // no times
        return event;
    }

    /** Makes these calls aside, after all that was asked for so far. */
    void run(Runnable calls, List<Buffer> reads, List<Buffer> writes) {
        reads.forEach(Buffer::block); // what has been put off is made on the first queue
        if (events.isEmpty()) join(underWay.peekFirst());
        Call call = new Call(events.pop());
        Status.driver(cuEventRecord(fork, context.main()), "cuEventRecord");
        Status.driver(cuStreamWaitEvent(context.side(), fork, 0), "cuStreamWaitEvent");
        reads.forEach(read -> call.held.add(read.retain()));
        running = call;
        context.putAside(true);
        try {
            calls.run();
        } finally { // some of them may have been made
            context.putAside(false);
            running = null;
            underWay.add(call);
            for (Buffer read : reads) read.guard(() -> join(call));
            for (Buffer written : writes) written.fence(() -> join(call));
            Status.driver(cuEventRecord(call.done, context.side()), "cuEventRecord");
        }
    }

    /** A new block, which calls that are being put aside hold like what they read. */
    Buffer keep(Buffer block) {
        if (running != null) running.held.add(block.retain());
        return block;
    }

    /** What is asked for next waits for all that is aside. */
    void join() {
        if (!underWay.isEmpty()) join(underWay.peekLast());
    }

    /** The same for one call and all before it. */
    private void join(Call call) {
        if (call.joined) return;
        context.enter();
        Status.driver(cuStreamWaitEvent(context.main(), call.done, 0), "cuStreamWaitEvent");
        while (!call.joined) {
            Call first = underWay.remove();
            first.joined = true;
            events.push(first.done);
            first.held.forEach(Buffer::release);
        }
    }

    @Override
    public void close() {
        Status.driver(cuStreamSynchronize(context.side()), "cuStreamSynchronize");
        Status.driver(cuEventDestroy(fork), "cuEventDestroy");
        for (CUevent event : events) Status.driver(cuEventDestroy(event), "cuEventDestroy");
    }
}
