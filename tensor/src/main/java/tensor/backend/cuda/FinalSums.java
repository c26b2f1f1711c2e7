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

    /** y and rest ← the sums of the columns of partial [slices, outputs]: of the first {@code split}, and of the others. */
    private record Sum(Buffer partial, int slices, int outputs, long y, long rest, int split, boolean half) {}

    /** y ← Σ over the slices of partial [slices, elements of y], which this holds until then. */
    void add(Buffer partial, int slices, Tensor y) {
        add(partial, slices, y, null);
    }

    /** The same for partial [slices, elements of y and of rest], which may be {@code null} and else are floats. */
    void add(Buffer partial, int slices, Tensor y, Tensor rest) {
        int split = y.shape().size();
        int outputs = rest == null ? split : split + rest.shape().size();
        long to = y.buffer().address();
        long others = rest == null ? 0 : rest.buffer().address();
        waiting.add(new Sum(partial.retain(), slices, outputs, to, others, split, y.dtype() == DType.BF16));
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
            sums.add(sum.partial.address(), sum.y, sum.rest, sum.outputs, sum.slices, sum.split, sum.half);
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
