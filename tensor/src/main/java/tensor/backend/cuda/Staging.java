package tensor.backend.cuda;

import static jcuda.driver.JCudaDriver.*;

import java.nio.ByteBuffer;
import jcuda.driver.CUevent;
import tensor.DType;
import tensor.Tensor;

/**
 * The way between Java arrays and device memory, in pieces of at most {@link #SLOT} bytes.
 *
 * <pre>array ─ host ─▶ pinned slot ─ copy stream ─▶ device slot ─ compute stream ─▶ tensor</pre>
 *
 * There are two slots, so the next batch crosses the bus while the device still computes; the last hop is a copy within
 * the device. Two events keep a slot from being filled again too early.
 */
final class Staging implements AutoCloseable {
    /** Bytes in a slot. */
    static final int SLOT = 1 << 22;

    /** Puts {@code count} elements from {@code start} on into a slot, or takes them out. */
    interface Transfer {
        void move(ByteBuffer slot, int start, int count);
    }

    private static final class Slot {
        final Pinned pinned = new Pinned(SLOT);
        final long device;
        /** The pinned half may be overwritten. */
        final CUevent sent = new CUevent();
        /** The device half may be overwritten. */
        final CUevent taken = new CUevent();

        Slot(CudaContext context) {
            device = context.allocate(SLOT);
            Status.driver(cuEventCreate(sent, 2), "cuEventCreate");
            Status.driver(cuEventCreate(taken, 2), "cuEventCreate");
        }
    }

    private final Engine engine;
    private final CudaContext context;
    private final Slot[] slots;
    private int next;

    Staging(Engine engine) {
        this.engine = engine;
        context = engine.context();
        slots = new Slot[] {new Slot(context), new Slot(context)};
    }

    /** y ← source, rounded to y's type. */
    void upload(float[] source, Tensor y) {
        boolean half = y.dtype() == DType.BF16;
        upload(source.length, y.dtype().bytes(), y.buffer().address(), (slot, start, count) -> {
            if (!half) slot.asFloatBuffer().put(source, start, count);
            else for (int i = 0; i < count; i++) slot.putShort(2 * i, DType.toBf16(source[start + i]));
        });
    }

    /** target ← x. */
    void download(Tensor x, float[] target) {
        boolean half = x.dtype() == DType.BF16;
        download(target.length, x.dtype().bytes(), x.buffer().address(), (slot, start, count) -> {
            if (!half) slot.asFloatBuffer().get(target, start, count);
            else for (int i = 0; i < count; i++) target[start + i] = DType.fromBf16(slot.getShort(2 * i));
        });
    }

    /** Sends {@code elements} values of {@code width} bytes to {@code address}; {@code fill} writes them into slots. */
    void upload(int elements, int width, long address, Transfer fill) {
        engine.requireEager("an upload");
        for (int start = 0, count; start < elements; start += count) {
            count = Math.min(SLOT / width, elements - start);
            Slot slot = slots[next];
            next = 1 - next;
            Status.driver(cuEventSynchronize(slot.sent), "cuEventSynchronize");
            fill.move(slot.pinned.bytes(), start, count);
            long bytes = (long) count * width;
            Status.driver(cuStreamWaitEvent(context.copies(), slot.taken, 0), "cuStreamWaitEvent");
            Status.driver(
                    cuMemcpyHtoDAsync(new Device(slot.device), slot.pinned.pointer(0), bytes, context.copies()),
                    "cuMemcpyHtoDAsync");
            Status.driver(cuEventRecord(slot.sent, context.copies()), "cuEventRecord");
            Status.driver(cuStreamWaitEvent(context.stream(), slot.sent, 0), "cuStreamWaitEvent");
            Status.driver(
                    cuMemcpyDtoDAsync(
                            new Device(address + (long) start * width),
                            new Device(slot.device),
                            bytes,
                            context.stream()),
                    "cuMemcpyDtoDAsync");
            Status.driver(cuEventRecord(slot.taken, context.stream()), "cuEventRecord");
        }
    }

    /** Brings {@code elements} values of {@code width} bytes from {@code address}; {@code take} reads them from slots. */
    void download(int elements, int width, long address, Transfer take) {
        Slot slot = slots[next];
        Status.driver(cuEventSynchronize(slot.sent), "cuEventSynchronize");
        for (int start = 0, count; start < elements; start += count) {
            count = Math.min(SLOT / width, elements - start);
            Status.driver(
                    cuMemcpyDtoHAsync(
                            slot.pinned.pointer(0),
                            new Device(address + (long) start * width),
                            (long) count * width,
                            context.stream()),
                    "cuMemcpyDtoHAsync");
            context.synchronize();
            take.move(slot.pinned.bytes(), start, count);
        }
    }

    @Override
    public void close() {
        for (Slot slot : slots) {
            Status.driver(cuEventSynchronize(slot.sent), "cuEventSynchronize");
            Status.driver(cuEventDestroy(slot.sent), "cuEventDestroy");
            Status.driver(cuEventDestroy(slot.taken), "cuEventDestroy");
            context.free(slot.device, SLOT);
            slot.pinned.close();
        }
    }
}
