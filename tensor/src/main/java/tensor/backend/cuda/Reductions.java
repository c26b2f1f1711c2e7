package tensor.backend.cuda;

import tensor.DType;
import tensor.Shape;
import tensor.Tensor;
import tensor.backend.ReduceOp;
import tensor.memory.Buffer;

/**
 * Sums and maxima over any axes, by our own kernels. Long ones are cut into slices, so that enough blocks have work, and a
 * second kernel adds those up: no atomics, so the order depends on the shapes alone.
 */
final class Reductions {
    /** Threads of a block that sums along rows. */
    private static final int ROW_BLOCK = 256;
    /** Threads of a block that sums columns of matrices. */
    private static final int COLUMN_BLOCK = 256;
    /** Values that one thread of it should add up, at least. */
    private static final int COLUMN_RUN = 8;
    /** Blocks of it that keep a large device busy. */
    private static final int COLUMN_BLOCKS = 512;
    /** Matrices whose columns are summed at once: no device takes a grid with a longer third axis. */
    private static final int MOST_MATRICES = 65535;
    /** Up to so many values an output is made by one thread. */
    private static final int FEW = 32;
    /** Up to so many slices of an output are added up by one thread, more by a warp. */
    private static final int FEW_SLICES = 16;
    /** Threads of a block that adds up slices. */
    private static final int FINISH_BLOCK = 256;

    private final Engine engine;
    private final Axes kept = new Axes();
    private final Axes reduced = new Axes();

    Reductions(Engine engine) {
        this.engine = engine;
    }

    /** y ← f over the axes where its shape has extent 1 and that of x has not; the shapes may be others than the tensors'. */
    void reduce(ReduceOp f, Tensor x, Shape xs, Tensor y, Shape ys) {
        reduce(f, x, xs, y, ys, false);
    }

    /** y [K] ← the sums of the columns of x [.., K], where the last stage may wait ({@link FinalSums}). */
    void sumColumnsLater(Tensor x, Tensor y) {
        int k = y.shape().size();
        reduce(ReduceOp.SUM, x, Shape.of(x.shape().size() / k, k), y, Shape.of(1, k), true);
    }

    private void reduce(ReduceOp f, Tensor x, Shape xs, Tensor y, Shape ys, boolean later) {
        long[] strides = xs.strides();
        kept.clear();
        reduced.clear();
        boolean rows = true;
        for (int i = 0; i < strides.length; i++) {
            if (xs.get(i) == 1) continue;
            rows = ys.get(i) == 1;
            (rows ? reduced : kept).add(xs.get(i), strides[i], strides[i]);
        }
        int outputs = ys.size();
        int count = xs.size() / outputs;
        if (rows) rows(f, x, y, outputs, count);
        else if (count <= FEW) few(f, x, y, outputs, count);
        else if (f == ReduceOp.SUM && areMatrices(outputs)) columns(x, y, outputs, count, later);
        else general(f, x, y, outputs, count);
    }

    private void rows(ReduceOp f, Tensor x, Tensor y, int outputs, int count) {
        int slices = clamp(count / 16384, Math.max(1, 1024 / outputs));
        Buffer partial = partial(slices, outputs);
        sliced(Kernel.REDUCE_ROWS, f, x, y, partial, outputs, count, slices)
                .grid(outputs, slices, clamp((count + 31) / 32, ROW_BLOCK / 32) * 32, 1, 0);
        finish(partial, f, y, x.dtype(), outputs, slices);
    }

    private void general(ReduceOp f, Tensor x, Tensor y, int outputs, int count) {
        int slices = clamp(count / 512, Math.max(1, 32768 / outputs));
        Buffer partial = partial(slices, outputs);
        sliced(Kernel.REDUCE_COLUMNS, f, x, y, partial, outputs, count, slices)
                .grid((outputs + 31) / 32, slices, 32, 8, 0);
        finish(partial, f, y, x.dtype(), outputs, slices);
    }

    private Launch sliced(
            Kernel kernel, ReduceOp f, Tensor x, Tensor y, Buffer partial, int outputs, int count, int slices) {
        return engine.launch(kernel, x.dtype())
                .tensor(x)
                .tensor(y)
                .address(partial == null ? 0 : partial.address())
                .integer(outputs)
                .integer(count)
                .integer(slices)
                .integer(f == ReduceOp.MAX)
                .integer(y.dtype() != x.dtype())
                .axes(kept)
                .axes(reduced);
    }

    private void few(ReduceOp f, Tensor x, Tensor y, int outputs, int count) {
        engine.launch(Kernel.REDUCE_FEW, x.dtype())
                .tensor(x)
                .tensor(y)
                .integer(outputs)
                .integer(count)
                .integer(f == ReduceOp.MAX)
                .integer(y.dtype() != x.dtype())
                .axes(kept)
                .axes(reduced)
                .flat(outputs);
    }

    /** Whether columns of so many matrices are summed as one grid can hold. */
    private boolean areMatrices(int outputs) {
        return kept.rank() <= 2 && reduced.rank() == 1 && outputs / kept.size(0) <= MOST_MATRICES;
    }

    /** What stays is a row of columns, or one for each of several matrices that lie the same distance apart. */
    private void columns(Tensor x, Tensor y, int outputs, int count, boolean later) {
        int columns = kept.size(0);
        int images = outputs / columns;
        long row = reduced.first(0);
        long image = images == 1 ? 0 : kept.first(1);
        int most = 16 / x.dtype().bytes();
        int vector = divides(most, columns, row, image) ? most : divides(4, columns, row, image) ? 4 : 1;
        int side = columns / vector;
        int blocks = (side + COLUMN_BLOCK - 1) / COLUMN_BLOCK;
        int lines = COLUMN_BLOCK / Math.min(side, COLUMN_BLOCK);
        int slices = clamp(count / (COLUMN_RUN * lines), Math.max(1, COLUMN_BLOCKS / (blocks * images)));
        Buffer partial = partial(slices, outputs);
        engine.launch(Kernel.COLUMN_SUMS, x.dtype())
                .tensor(x)
                .tensor(y)
                .address(partial == null ? 0 : partial.address())
                .integer(columns)
                .integer(count)
                .integer((int) row)
                .integer((int) image)
                .integer(vector)
                .integer(slices)
                .integer(y.dtype() != x.dtype())
                .grid(blocks, slices, images, COLUMN_BLOCK, 1, COLUMN_BLOCK * vector * Double.BYTES);
        if (!later || partial == null) {
            finish(partial, ReduceOp.SUM, y, x.dtype(), outputs, slices);
            return;
        }
        engine.sums().add(partial, slices, y);
        partial.release();
    }

    private static boolean divides(int vector, int columns, long row, long image) {
        return columns % vector == 0 && row % vector == 0 && image % vector == 0;
    }

    /** Room for the sums of the slices [slices, outputs]; {@code null} where there is one. */
    private Buffer partial(int slices, int outputs) {
        return slices == 1 ? null : engine.scratch((long) slices * outputs * DType.F32.bytes());
    }

    /** y ← f over the slices, whose values are floats, and lets go of them; nothing where they are {@code null}. */
    void finish(Buffer partial, ReduceOp f, Tensor y, DType dtype, int outputs, int slices) {
        if (partial == null) return;
        int each = slices <= FEW_SLICES ? FINISH_BLOCK : FINISH_BLOCK / 32;
        engine.launch(Kernel.REDUCE_FINISH, dtype)
                .address(partial.address())
                .tensor(y)
                .integer(outputs)
                .integer(slices)
                .integer(f == ReduceOp.MAX)
                .integer(y.dtype() != dtype)
                .grid((outputs + each - 1) / each, 1, FINISH_BLOCK, 1, 0);
        partial.release();
    }

    private static int clamp(int value, int most) {
        return Math.max(1, Math.min(value, most));
    }
}
