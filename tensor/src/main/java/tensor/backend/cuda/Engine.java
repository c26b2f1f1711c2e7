package tensor.backend.cuda;

import jcuda.Pointer;
import tensor.DType;
import tensor.Tensor;
import tensor.backend.Precision;
import tensor.memory.Buffer;
import tensor.memory.CachingAllocator;

/** What all calls of the backend share: device, arena, kernels, and the scalars 1 and 0 where libraries can read them. */
final class Engine implements AutoCloseable {
    private static final int ONE = 0;
    private static final int ZERO = 8;

    private final CudaContext context;
    private final Lending lending;
    private final CachingAllocator arena;
    private final SideStream side;
    private final FinalSums sums;
    private final TurnedFilters turned;
    private final Kernels floats;
    private final Kernels halves; // null on a device that has no instructions for them
    private final Launch launch;
    private final Pinned scalars;
    private final Pointer one;
    private final Pointer zero;
    private final Precision precision;
    private GraphRecording recording;

    Engine(Precision precision) {
        this.precision = precision;
        context = new CudaContext(precision);
        lending = new Lending(context);
        arena = lending.borrower();
        side = new SideStream(context);
        sums = new FinalSums(this);
        turned = new TurnedFilters(this);
        try {
            floats = new Kernels(context, DType.F32);
            halves = context.capability() < Kernels.BF16_FROM ? null : new Kernels(context, DType.BF16);
            launch = new Launch(context);
            scalars = new Pinned(16);
        } catch (RuntimeException | OutOfMemoryError e) {
            context.close(); // gives back what has been taken
            throw e;
        }
        one = scalars.pointer(ONE);
        zero = scalars.pointer(ZERO);
        scalars.bytes().putFloat(ONE, 1).putFloat(ZERO, 0);
    }

    CudaContext context() {
        return context;
    }

    /** Where blocks come from that no recording keeps. */
    Lending lending() {
        return lending;
    }

    /** Where tensors lie; while calls are being recorded, those of the recording. */
    CachingAllocator arena() {
        return recording == null ? arena : recording.arena();
    }

    /** Whether a block is one of these: of what is being recorded, or of none. */
    boolean owns(Buffer block) {
        return arena().owns(block);
    }

    /**
     * A block, for a tensor or to be released in the same call: whatever runs later runs after what uses it now, and calls that
     * are put aside hold it.
     */
    Buffer scratch(long bytes) {
        return side.keep(arena().allocate(bytes));
    }

    /** For what is not waited for. */
    SideStream side() {
        return side;
    }

    /** For what nobody asks for before a step is over. */
    FinalSums sums() {
        return sums;
    }

    /** Filters turned round. */
    TurnedFilters turned() {
        return turned;
    }

    /** What is being recorded, or {@code null}. */
    GraphRecording recording() {
        return recording;
    }

    /** From now on calls go into this recording; {@code null}: to the device. */
    void recording(GraphRecording into) {
        recording = into;
    }

    /** Refuses what cannot be recorded. */
    void requireEager(String what) {
        if (recording != null)
            throw new IllegalStateException(
                    what + " cannot be recorded: do it before, or run the calls once before recording them");
    }

    Precision precision() {
        return precision;
    }

    /** The scalar 1, in the form that libraries want it. */
    Pointer one() {
        return one;
    }

    /** The scalar 0. */
    Pointer zero() {
        return zero;
    }

    /** Begins the launch of a kernel for tensors of this type. */
    Launch launch(Kernel kernel, DType dtype) {
        return launch.of(kernels(dtype).of(kernel));
    }

    /** Whether there are kernels for this type. */
    boolean supports(DType dtype) {
        return dtype == DType.F32 || dtype == DType.BF16 && halves != null;
    }

    /** The compiled module for this type. */
    Kernels kernels(DType dtype) {
        return dtype == DType.F32 ? floats : halves;
    }

    /** Begins any launch. */
    Launch launch() {
        return launch;
    }

    /** The address of a tensor, in the form that libraries want it. */
    static Pointer pointer(Tensor t) {
        return new Device(t.buffer().address());
    }

    /** y ← y + bias + z, bias along the last axis, z like y; either may be {@code null}. */
    void addBias(Tensor y, Tensor bias, Tensor z) {
        if (bias == null && z == null) return;
        int n = y.shape().size();
        launch(Kernel.ADD_BIAS, y.dtype())
                .tensor(y)
                .tensor(bias)
                .tensor(z)
                .integer(n)
                .integer(y.shape().get(-1))
                .flat(n);
    }

    @Override
    public void close() {
        context.enter();
        sums.forget();
        side.close();
        arena.close();
        scalars.close();
        launch.close();
        floats.close();
        if (halves != null) halves.close();
        context.close();
    }
}
