package tensor.backend.cuda;

import static jcuda.driver.JCudaDriver.cuLaunchKernel;

import java.nio.ByteBuffer;
import jcuda.Pointer;
import jcuda.driver.CUfunction;
import tensor.Tensor;
import tensor.backend.Mask;

/**
 * One kernel launch after the other through one block of pinned memory: a table of addresses, as the driver wants it,
 * and behind it the arguments that they point to. Nothing is allocated.
 *
 * <pre>launch.of(function).tensor(x).tensor(y).integer(n).flat(n)</pre>
 */
final class Launch implements AutoCloseable {
    private static final int MOST_ARGUMENTS = 32;
    private static final int ARGUMENTS = 8 * MOST_ARGUMENTS;
    private static final int BLOCK = 256;
    private static final int WARPS = BLOCK / 32;
    /** Elements for one thread block of a flat launch. */
    private static final int FLAT = 1024;

    private final CudaContext context;
    /** Bytes that all arguments of one kernel may have together, as on every device. */
    private static final int MOST_BYTES = 4096;
    /** Blocks along the second and the third axis of a grid, as on every device. */
    private static final int MOST_BLOCKS = 65535;

    private final Pinned block = new Pinned(ARGUMENTS + MOST_BYTES);
    private final ByteBuffer bytes = block.bytes();
    private final Pointer table = block.pointer(0);
    private CUfunction function; // null between two launches
    private int count;
    private int end;

    Launch(CudaContext context) {
        this.context = context;
    }

    /** Begins the arguments of a kernel. */
    Launch of(CUfunction kernel) {
        function = kernel;
        count = 0;
        end = ARGUMENTS;
        return this;
    }

    /** The place of the next argument, of {@code size} bytes at a multiple of 8. */
    private int next(int size) {
        if (count == MOST_ARGUMENTS)
            throw new IllegalStateException("a kernel takes " + MOST_ARGUMENTS + " arguments at most: MOST_ARGUMENTS");
        int at = end;
        bytes.putLong(8 * count++, block.address(at));
        end += (size + 7) / 8 * 8;
        return at;
    }

    /** The address of a tensor; 0 for {@code null}. */
    Launch tensor(Tensor t) {
        return address(t == null ? 0 : t.buffer().address());
    }

    Launch address(long address) {
        bytes.putLong(next(8), address);
        return this;
    }

    Launch integer(int value) {
        bytes.putInt(next(4), value);
        return this;
    }

    Launch integer(boolean value) {
        return integer(value ? 1 : 0);
    }

    Launch number(double value) {
        bytes.putFloat(next(4), (float) value);
        return this;
    }

    Launch wide(long value) {
        bytes.putLong(next(8), value);
        return this;
    }

    Launch wide(double value) {
        bytes.putDouble(next(8), value);
        return this;
    }

    Launch axes(Axes axes) {
        axes.write(bytes, next(Axes.BYTES));
        return this;
    }

    Launch entries(Pieces entries) {
        entries.write(bytes, next(entries.bytes()));
        return this;
    }

    /** The C structure {@code Mask}, for {@code null} one that is 1 everywhere; the recording may be {@code null}. */
    Launch mask(Mask mask, GraphRecording recording) {
        int at = next(32);
        bytes.putLong(at, mask == null ? 0 : mask.seed());
        bytes.putLong(at + 8, mask == null ? 0 : GraphRecording.position(recording, mask.offset()));
        bytes.putLong(at + 16, mask == null ? 0 : GraphRecording.numbers(recording));
        bytes.putInt(at + 24, mask == null ? -1 : (int) ((long) Math.ceil(mask.keep() * 0x1p24) * 256 - 1));
        bytes.putFloat(at + 28, mask == null ? 1 : (float) (1 / mask.keep()));
        return this;
    }

    /** The C structure {@code Convolution}: 13 integers. */
    Launch convolution(Geometry g, boolean flipped) {
        int at = next(13 * Integer.BYTES);
        bytes.putInt(at, g.n()).putInt(at + 4, g.h()).putInt(at + 8, g.w()).putInt(at + 12, g.c());
        bytes.putInt(at + 16, g.k()).putInt(at + 20, g.p()).putInt(at + 24, g.q());
        bytes.putInt(at + 28, g.r()).putInt(at + 32, g.s()).putInt(at + 36, g.stride());
        bytes.putInt(at + 40, g.padH()).putInt(at + 44, g.padW()).putInt(at + 48, flipped ? 1 : 0);
        return this;
    }

    /** Threads that stride over {@code n} elements. */
    void flat(long n) {
        grid(clamp((n + FLAT - 1) / FLAT), 1, BLOCK, 1, 0);
    }

    /** One warp for each of {@code rows}. */
    void warps(long rows) {
        grid(clamp((rows + WARPS - 1) / WARPS), 1, BLOCK, 1, 0);
    }

    private int clamp(long blocks) {
        return (int) Math.max(1, Math.min(blocks, 16L * context.multiprocessors()));
    }

    /** This grid of blocks of these threads, with so many bytes of shared memory. */
    void grid(int gridX, int gridY, int blockX, int blockY, int shared) {
        grid(gridX, gridY, 1, blockX, blockY, shared);
    }

    /** The same with a grid of three axes. */
    void grid(int gridX, int gridY, int gridZ, int blockX, int blockY, int shared) {
        CUfunction kernel = function;
        function = null;
        if (kernel == null)
            throw new IllegalStateException("a kernel was launched while the arguments of another were being written: a"
                    + " tensor that is put off must be made before");
        if (Math.max(gridY, gridZ) > MOST_BLOCKS)
            throw new IllegalArgumentException("a GPU takes " + MOST_BLOCKS + " images at once in this call, and not "
                    + Math.max(gridY, gridZ) + ": take smaller batches");
        Status.driver(
                cuLaunchKernel(kernel, gridX, gridY, gridZ, blockX, blockY, 1, shared, context.stream(), table, null),
                "cuLaunchKernel");
    }

    @Override
    public void close() {
        block.close();
    }
}
