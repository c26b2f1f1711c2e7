package tensor.backend.cuda;

import java.util.ArrayList;
import java.util.List;
import tensor.DType;
import tensor.Tensor;
import tensor.memory.Buffer;

/**
 * Last stages of sums, put off until somebody asks for one of their results ({@link Buffer#fence}), and then made in one launch.
 * A step of training has a hundred small ones, of what blocks of a kernel have left of the gradient of a bias, or images of those
 * of a norm's gain and shift; nobody asks before the update.
 */
final class FinalSums {
    private final Engine engine;
    private final List<Sum> waiting = new ArrayList<>();
    private final Sums sums = new Sums();

    FinalSums(Engine engine) {
        this.engine = engine;
    }

    /** y and rest ← the sums of columns of partial [slices, row], from {@code first} on: of {@code split}, and of the next. */
    private record Sum(
            Buffer partial, int slices, int row, int first, int outputs, long y, long rest, int split, boolean half) {}

    /** y ← Σ over the slices of partial [slices, elements of y], which this holds until then. */
    void add(Buffer partial, int slices, Tensor y) {
        add(partial, slices, y.shape().size(), 0, y, null);
    }

    /** The same for the columns of partial [slices, row] from {@code first} on. */
    void add(Buffer partial, int slices, int row, int first, Tensor y) {
        add(partial, slices, row, first, y, null);
    }

    /** The same for partial [slices, elements of y and of rest], where rest may be {@code null} and else is floats. */
    void add(Buffer partial, int slices, Tensor y, Tensor rest) {
        add(partial, slices, y.shape().size() + (rest == null ? 0 : rest.shape().size()), 0, y, rest);
    }

    private void add(Buffer partial, int slices, int row, int first, Tensor y, Tensor rest) {
        int split = y.shape().size();
        int outputs = rest == null ? split : split + rest.shape().size();
        long to = y.buffer().address();
        long others = rest == null ? 0 : rest.buffer().address();
        boolean half = y.dtype() == DType.BF16;
        waiting.add(new Sum(partial.retain(), slices, row, first, outputs, to, others, split, half));
        y.buffer().fence(this::make);
        if (rest != null) rest.buffer().fence(this::make);
    }

    /** Makes all. */
    void make() {
        if (waiting.isEmpty()) return;
        List<Sum> all = List.copyOf(waiting);
        waiting.clear();
        engine.context().enter();
        engine.side().join(); // some of the slices are written there
        for (Sum sum : all) {
            long partial = sum.partial.address() + (long) sum.first * DType.F32.bytes();
            sums.add(partial, sum.y, sum.rest, sum.outputs, sum.slices, sum.row, sum.split, sum.half);
            if (sums.isFull()) launch();
        }
        if (!sums.isEmpty()) launch();
        all.forEach(sum -> sum.partial.release());
    }

    private void launch() {
        engine.launch(Kernel.FINAL_SUMS, DType.F32).entries(sums).grid(sums.pieces(), 1, 32, 8, 0);
        sums.clear();
    }

    /** Lets go of them unmade. */
    void forget() {
        waiting.forEach(sum -> sum.partial.release());
        waiting.clear();
    }
}
