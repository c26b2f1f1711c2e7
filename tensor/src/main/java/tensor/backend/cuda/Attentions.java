package tensor.backend.cuda;

import java.util.function.Consumer;
import java.util.stream.IntStream;
import tensor.DType;
import tensor.Shape;
import tensor.Tensor;
import tensor.backend.AttentionParams;
import tensor.memory.Buffer;

/**
 * Softmax attention as products by cuBLAS around our softmax over rows; the scores S [N, heads, L, L] exist, in scratch
 * memory, in 32-bit floats. P is kept for the backward pass where it is no larger than q, k and v, and computed anew else.
 *
 * <pre>S = q kᵀ      P = softmax(scale · S)      y = P v
 *   dP = dy vᵀ      dS = scale · P (dP − Σ P dP)      dq = dS k      dk = dSᵀ q      dv = Pᵀ dy</pre>
 *
 * One product serves all images of one head: they lie the same distance apart. Or those of a part of the images, one part after the
 * other, where that is faster ({@link Search}): what lies between two products then stays in the second-level cache.
 */
final class Attentions {
    /** Most columns of a row that a warp keeps in registers; {@code WARP_COLUMNS<4>} of attention.cu. */
    private static final int WARP_COLUMNS = 1024;
    /** Scores from which on parts are worth a search … */
    private static final long LARGE = 1 << 22;
    /** … into so many at most. */
    private static final int MOST_PARTS = 8;

    private record Key(boolean backward, DType dtype, int images, int length, int heads, int width) {
        String word(Engine engine) {
            return (backward ? "backward-" : "forward-") + dtype + "-" + engine.precision() + "-" + images + "x"
                    + length + "-" + heads + "x" + width;
        }
    }

    private final Engine engine;
    private final Products products;
    private final Search<Key, Integer> search;

    Attentions(Engine engine, Products products) {
        this.engine = engine;
        this.products = products;
        search = new Search<>(engine, "attentions", key -> key.word(engine), String::valueOf);
    }

    /** Into how many parts the images are divided. */
    private int parts(Heads all, boolean backward, Consumer<Integer> call) {
        Key key = new Key(backward, all.qkv.dtype(), all.images, all.length, all.heads, all.width);
        int most = Math.min(MOST_PARTS, all.images);
        return search.of(
                key,
                all.scores() >= LARGE,
                () -> IntStream.iterate(1, count -> count <= most, count -> 2 * count)
                        .boxed()
                        .toList(),
                call);
    }

    /** {@link tensor.backend.Backend#attention}. */
    void forward(AttentionParams p, Tensor qkv, Tensor y, Tensor logSum) {
        Heads all = Heads.of(p, qkv);
        boolean kept = all.scores() <= qkv.shape().size() && engine.owns(y.buffer());
        int count = parts(
                all, false, parts -> forward(p, all, y, logSum, kept, parts).release());
        Buffer weights = forward(p, all, y, logSum, kept, count);
        if (kept) Probabilities.keep(weights, y);
        weights.release();
    }

    /** Returns P: all of it if it is to be kept, or room for a part. */
    private Buffer forward(AttentionParams p, Heads all, Tensor y, Tensor logSum, boolean kept, int parts) {
        int each = all.each(parts);
        DType type = all.qkv.dtype();
        try (Square probability = Square.of(engine, all, type, kept ? all.images : each);
                Square scores = type == DType.F32 ? probability.again() : Square.of(engine, all, DType.F32, each)) {
            for (int first = 0; first < all.images; first += each) {
                Heads at = all.slice(first, each);
                scores(at, scores);
                launchRows(
                        engine.launch(Kernel.SOFTMAX_ROWS, probability.dtype)
                                .address(scores.of(at).address())
                                .address(probability.of(at).address())
                                .address(at.logSum(logSum)),
                        at,
                        p);
                for (int h = 0; h < at.heads(); h++)
                    at.multiply(
                            products,
                            false,
                            false,
                            probability.head(at, h),
                            at.value(h),
                            at.part(y, h),
                            at.width(),
                            at.length());
            }
            return probability.block.retain();
        }
    }

    /** S = q kᵀ. */
    private void scores(Heads at, Square scores) {
        for (int h = 0; h < at.heads(); h++)
            at.multiply(products, false, true, at.query(h), at.key(h), scores.head(at, h), at.length(), at.width());
    }

    /** P, kept beside the y that it made for as long as that stays as it is, within one recording or outside. */
    private record Probabilities(Buffer weights, long version) implements AutoCloseable {
        static void keep(Buffer weights, Tensor y) {
            y.buffer().companion(new Probabilities(weights.retain(), y.buffer().version()));
        }

        /** What was kept, for the caller to release; {@code null} when nothing was, or not of this y, or not here. */
        static Buffer of(Tensor y, Engine engine) {
            return y.buffer().companion() instanceof Probabilities p
                            && p.version == y.buffer().version()
                            && engine.owns(p.weights)
                    ? p.weights.retain()
                    : null;
        }

        @Override
        public void close() {
            weights.release();
        }
    }

    /** {@link tensor.backend.Backend#attentionBackward}. */
    void backward(AttentionParams p, Tensor qkv, Tensor y, Tensor logSum, Tensor dy, Tensor dqkv) {
        Heads all = Heads.of(p, qkv);
        Buffer kept = Probabilities.of(y, engine);
        try {
            int count = parts(all, true, parts -> backward(p, all, logSum, dy, dqkv, kept, parts));
            backward(p, all, logSum, dy, dqkv, kept, count);
        } finally {
            if (kept != null) kept.release();
        }
    }

    private void backward(AttentionParams p, Heads all, Tensor logSum, Tensor dy, Tensor dqkv, Buffer kept, int parts) {
        DType type = all.qkv.dtype();
        int each = all.each(parts);
        Heads slopesOfAll = Heads.of(p, dqkv);
        try (Square scores = Square.of(engine, all, DType.F32, each);
                Square probability =
                        kept == null ? Square.of(engine, all, type, each) : new Square(type, kept.retain(), true);
                Square slopes = type == DType.F32 ? scores.again() : Square.of(engine, all, type, each)) {
            for (int first = 0; first < all.images; first += each) {
                Heads at = all.slice(first, each);
                Heads to = slopesOfAll.slice(first, each);
                if (kept == null) probabilities(p, at, scores, logSum, probability);
                for (int h = 0; h < at.heads(); h++) {
                    at.multiply(
                            products,
                            true,
                            false,
                            probability.head(at, h),
                            at.part(dy, h),
                            to.value(h),
                            at.width(),
                            at.length());
                    at.multiply(
                            products,
                            false,
                            true,
                            at.part(dy, h),
                            at.value(h),
                            scores.head(at, h),
                            at.length(),
                            at.width());
                }
                launchRows(
                        engine.launch(Kernel.SOFTMAX_ROWS_BACKWARD, type)
                                .address(probability.of(at).address())
                                .address(scores.of(at).address())
                                .address(slopes.of(at).address()),
                        at,
                        p);
                for (int h = 0; h < at.heads(); h++) {
                    Matrix ds = slopes.head(at, h);
                    at.multiply(products, false, false, ds, at.key(h), to.query(h), at.width(), at.length());
                    at.multiply(products, true, false, ds, at.query(h), to.key(h), at.width(), at.length());
                }
            }
        }
    }

    /** P anew, from the scores, which are left in their place, and what {@link #forward} noted of each row. */
    private void probabilities(AttentionParams p, Heads at, Square scores, Tensor logSum, Square probability) {
        DType type = probability.dtype;
        scores(at, scores);
        int most = (int) (Shape.MAX_SIZE / at.length()); // scores may be more than 2³², to which the kernel counts
        for (int first = 0, rows; first < at.rows(); first += rows) {
            rows = Math.min(most, at.rows() - first);
            long before = (long) first * at.length();
            engine.launch(Kernel.PROBABILITIES, type)
                    .address(scores.of(at).at(before).address())
                    .address(at.logSum(logSum) + (long) first * DType.F32.bytes())
                    .address(probability.of(at).at(before).address())
                    .integer(rows)
                    .integer(at.length())
                    .number(p.scale())
                    .flat((long) rows * at.length());
        }
    }

    /** A warp for each row while its registers hold it, beyond that a block. */
    private static void launchRows(Launch launch, Heads at, AttentionParams p) {
        launch.integer(at.rows()).integer(at.length()).number(p.scale());
        if (at.length() <= WARP_COLUMNS) launch.warps(at.rows());
        else launch.grid(at.rows(), 1, 256, 1, 0);
    }

    /** An array [images, heads, L, L], of all images or with room for those of a part. */
    private record Square(DType dtype, Buffer block, boolean whole) implements AutoCloseable {
        static Square of(Engine engine, Heads all, DType dtype, int images) {
            long size = (long) images * all.heads * all.length * all.length;
            return new Square(dtype, engine.scratch(size * dtype.bytes()), images == all.images);
        }

        /** The same array, to be closed by itself. */
        Square again() {
            return new Square(dtype, block.retain(), whole);
        }

        /** That of a part. */
        Matrix of(Heads at) {
            long image = (long) at.heads * at.length * at.length;
            return new Matrix(dtype, block.address(), at.length, image).at(whole ? at.first * image : 0);
        }

        /** One head of it. */
        Matrix head(Heads at, int head) {
            return of(at).at((long) head * at.length * at.length);
        }

        @Override
        public void close() {
            block.release();
        }
    }

    /**
     * Where the heads of qkv [N, L, 3·heads·d] and of packed arrays [N, L, heads·d] lie, for one batch over the images, or so many
     * from one on.
     */
    record Heads(Matrix qkv, int first, int images, int length, int heads, int width) {
        static Heads of(AttentionParams p, Tensor qkv) {
            Shape s = qkv.shape();
            int row = s.get(2);
            return new Heads(
                    Matrix.of(qkv, row, (long) s.get(1) * row), 0, s.get(0), s.get(1), p.heads(), p.headWidth(s));
        }

        /** Images of each of so many parts, but perhaps the last. */
        int each(int parts) {
            return (images + parts - 1) / parts;
        }

        /** At most so many of these images. */
        Heads slice(int from, int most) {
            int count = Math.min(most, images - from);
            return new Heads(qkv.at(from * qkv.next()), first + from, count, length, heads, width);
        }

        Matrix query(int head) {
            return qkv.at((long) head * width);
        }

        Matrix key(int head) {
            return qkv.at((long) (heads + head) * width);
        }

        Matrix value(int head) {
            return qkv.at((long) (2 * heads + head) * width);
        }

        /** One head of a packed array. */
        Matrix part(Tensor packed, int head) {
            return part(packed.dtype(), packed.buffer(), head);
        }

        Matrix part(DType dtype, Buffer packed, int head) {
            int row = heads * width;
            return new Matrix(dtype, packed.address(), row, (long) length * row)
                    .at((long) first * length * row + (long) head * width);
        }

        /** Address of what is noted of the first row. */
        long logSum(Tensor logSum) {
            return logSum.buffer().address() + (long) first * heads * length * DType.F32.bytes();
        }

        /** Rows of all scores together. */
        int rows() {
            return images * heads * length;
        }

        /** Number of all scores. */
        long scores() {
            return (long) rows() * length;
        }

        /** y ← op(a) · op(b) with L rows, for every image. */
        void multiply(Products products, boolean ta, boolean tb, Matrix a, Matrix b, Matrix y, int columns, int inner) {
            products.multiply(ta, tb, length, columns, inner, a, b, y, images);
        }
    }
}
