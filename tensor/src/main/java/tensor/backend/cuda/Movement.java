package tensor.backend.cuda;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.stream.IntStream;
import tensor.DType;
import tensor.Shape;
import tensor.Tensor;
import tensor.backend.BinaryOp;
import tensor.backend.Distribution;
import tensor.backend.Mask;
import tensor.backend.Region;
import tensor.backend.UnaryOp;
import tensor.memory.Buffer;

/** Pointwise calls and copies: our own kernels, told where elements lie by {@link Axes}. */
final class Movement {
    private final Engine engine;
    private final Axes axes = new Axes();
    private final Casts casts = new Casts();
    private final Copies copies = new Copies();

    Movement(Engine engine) {
        this.engine = engine;
    }

    void fill(Tensor y, double value) {
        int n = y.shape().size();
        engine.launch(Kernel.FILL, y.dtype()).tensor(y).integer(n).number(value).flat(n);
    }

    void copy(Region from, Region to) {
        axes.of(from, to);
        int n = axes.count();
        engine.launch(Kernel.COPY, to.tensor().dtype())
                .address(start(from))
                .address(start(to))
                .integer(n)
                .axes(axes)
                .flat(n);
    }

    /** Those of one type by as few launches as their places fit into. */
    void copy(Region[] from, Region[] to) {
        for (DType dtype : new DType[] {DType.BF16, DType.F32}) {
            copies.clear();
            for (int i = 0; i < from.length; i++) {
                if (to[i].tensor().dtype() != dtype) continue;
                copies.add(from[i], to[i]);
                if (copies.isFull()) copies(dtype);
            }
            if (!copies.isEmpty()) copies(dtype);
        }
    }

    private void copies(DType dtype) {
        engine.launch(Kernel.COPIES, dtype).entries(copies).grid(copies.pieces(), 1, 256, 1, 0);
        copies.clear();
    }

    /** Where a region begins on the device. */
    static long start(Region region) {
        return region.tensor().buffer().address()
                + region.offset() * region.tensor().dtype().bytes();
    }

    void cast(Tensor x, Tensor y) {
        if (x.dtype() == y.dtype()) {
            copy(Region.of(x), Region.of(y));
            return;
        }
        int n = y.shape().size();
        boolean widen = y.dtype() == DType.F32;
        engine.launch(widen ? Kernel.CAST_TO_FLOAT : Kernel.CAST_FROM_FLOAT, widen ? x.dtype() : y.dtype())
                .tensor(x)
                .tensor(y)
                .integer(n)
                .flat(n);
    }

    /**
     * All of one direction by as few launches as their addresses fit into, and aside, the small ones first: what a network wants of
     * its parameters at once is small, and the large ones are there when the first large convolution is.
     */
    void cast(Tensor[] x, Tensor[] y) {
        int[] bySize = IntStream.range(0, x.length)
                .boxed()
                .sorted(Comparator.comparingInt(i -> x[i].shape().size()))
                .mapToInt(i -> i)
                .toArray();
        List<Buffer> reads = new ArrayList<>();
        List<Buffer> writes = new ArrayList<>();
        for (DType to : new DType[] {DType.BF16, DType.F32}) {
            casts.clear();
            for (int i : bySize) {
                if (y[i].dtype() != to) continue;
                if (x[i].dtype() == to) {
                    copy(Region.of(x[i]), Region.of(y[i]));
                    continue;
                }
                casts.add(x[i], y[i]);
                reads.add(x[i].buffer());
                writes.add(y[i].buffer());
                if (casts.isFull()) cast(to, reads, writes);
            }
            if (!casts.isEmpty()) cast(to, reads, writes);
        }
    }

    private void cast(DType to, List<Buffer> reads, List<Buffer> writes) {
        Kernel kernel = to == DType.F32 ? Kernel.CASTS_TO_FLOAT : Kernel.CASTS_FROM_FLOAT;
        engine.side()
                .run(
                        () -> engine.launch(kernel, DType.BF16).entries(casts).grid(casts.pieces(), 1, 256, 1, 0),
                        reads,
                        writes);
        casts.clear();
        reads.clear();
        writes.clear();
    }

    void unary(UnaryOp f, Tensor x, Tensor y) {
        int n = y.shape().size();
        engine.launch()
                .of(engine.kernels(y.dtype()).of(f))
                .tensor(x)
                .tensor(y)
                .integer(n)
                .flat(n);
    }

    void binary(BinaryOp f, Tensor a, Tensor b, Tensor y) {
        Shape shape = y.shape();
        long[] first = a.shape().stridesIn(shape);
        long[] second = b.shape().stridesIn(shape);
        axes.clear();
        for (int i = 0; i < first.length; i++) axes.add(shape.get(i), first[i], second[i]);
        int n = shape.size();
        engine.launch()
                .of(engine.kernels(y.dtype()).of(f))
                .tensor(a)
                .tensor(b)
                .tensor(y)
                .integer(n)
                .axes(axes)
                .flat(n);
    }

    void random(Distribution distribution, long seed, long offset, Tensor y) {
        int n = y.shape().size();
        GraphRecording recording = engine.recording();
        engine.launch(Kernel.DRAW, y.dtype())
                .integer(distribution.kind().ordinal())
                .wide(distribution.parameter())
                .wide(seed)
                .address(GraphRecording.numbers(recording))
                .wide(GraphRecording.position(recording, offset))
                .tensor(y)
                .integer(n)
                .flat(n);
    }

    void dropout(Mask mask, Tensor x, Tensor y) {
        int n = y.shape().size();
        engine.launch(Kernel.DROPOUT, y.dtype())
                .mask(mask, engine.recording())
                .tensor(x)
                .tensor(y)
                .integer(n)
                .flat(n);
    }
}
