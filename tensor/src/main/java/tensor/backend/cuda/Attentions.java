package tensor.backend.cuda;

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
 * One product serves all images of one head: they lie the same distance apart.
 */
final class Attentions {
    /** Most columns of a row that a warp keeps in registers; {@code WARP_COLUMNS<4>} of attention.cu. */
    private static final int WARP_COLUMNS = 1024;

    private final Engine engine;
    private final Products products;

    Attentions(Engine engine, Products products) {
        this.engine = engine;
        this.products = products;
    }

    /** {@link tensor.backend.Backend#attention}. */
    void forward(AttentionParams p, Tensor qkv, Tensor y, Tensor logSum) {
        Heads at = Heads.of(p, qkv);
        Buffer scores = engine.scratch(at.scores() * DType.F32.bytes());
        Buffer weights = at.probabilities(engine, scores);
        Matrix s = at.square(DType.F32, scores);
        Matrix probability = at.square(qkv.dtype(), weights);
        for (int h = 0; h < at.heads(); h++)
            at.multiply(products, false, true, at.query(h), at.key(h), at.head(s, h), at.length(), at.width());
        launchRows(
                engine.launch(Kernel.SOFTMAX_ROWS, qkv.dtype())
                        .address(scores.address())
                        .address(weights.address())
                        .tensor(logSum),
                at,
                p);
        for (int h = 0; h < at.heads(); h++)
            at.multiply(
                    products,
                    false,
                    false,
                    at.head(probability, h),
                    at.value(h),
                    at.part(y, h),
                    at.width(),
                    at.length());
        if (at.scores() <= qkv.shape().size() && engine.owns(y.buffer())) Probabilities.keep(weights, y);
        Heads.release(scores, weights);
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
        Heads at = Heads.of(p, qkv);
        Heads to = Heads.of(p, dqkv);
        Buffer scores = engine.scratch(at.scores() * DType.F32.bytes());
        Matrix s = at.square(DType.F32, scores);
        Buffer weights = Probabilities.of(y, engine);
        if (weights == null) weights = probabilities(p, at, scores, logSum);
        Matrix probability = at.square(qkv.dtype(), weights);
        for (int h = 0; h < at.heads(); h++) {
            at.multiply(
                    products,
                    true,
                    false,
                    at.head(probability, h),
                    at.part(dy, h),
                    to.value(h),
                    at.width(),
                    at.length());
            at.multiply(products, false, true, at.part(dy, h), at.value(h), at.head(s, h), at.length(), at.width());
        }
        Buffer slopes = at.probabilities(engine, scores);
        Matrix ds = at.square(qkv.dtype(), slopes);
        launchRows(
                engine.launch(Kernel.SOFTMAX_ROWS_BACKWARD, qkv.dtype())
                        .address(weights.address())
                        .address(scores.address())
                        .address(slopes.address()),
                at,
                p);
        for (int h = 0; h < at.heads(); h++) {
            at.multiply(products, false, false, at.head(ds, h), at.key(h), to.query(h), at.width(), at.length());
            at.multiply(products, true, false, at.head(ds, h), at.query(h), to.key(h), at.width(), at.length());
        }
        weights.release();
        Heads.release(scores, slopes);
    }

    /** P anew, from the scores, which are left in their place, and what {@link #forward} noted of each row. */
    private Buffer probabilities(AttentionParams p, Heads at, Buffer scores, Tensor logSum) {
        DType type = at.qkv().dtype();
        Buffer weights = engine.scratch(at.scores() * type.bytes());
        Matrix s = at.square(DType.F32, scores);
        for (int h = 0; h < at.heads(); h++)
            at.multiply(products, false, true, at.query(h), at.key(h), at.head(s, h), at.length(), at.width());
        int most = (int) (Shape.MAX_SIZE / at.length()); // scores may be more than 2³², to which the kernel counts
        for (int first = 0, rows; first < at.rows(); first += rows) {
            rows = Math.min(most, at.rows() - first);
            long before = (long) first * at.length();
            engine.launch(Kernel.PROBABILITIES, type)
                    .address(scores.address() + before * DType.F32.bytes())
                    .address(logSum.buffer().address() + (long) first * DType.F32.bytes())
                    .address(weights.address() + before * type.bytes())
                    .integer(rows)
                    .integer(at.length())
                    .number(p.scale())
                    .flat((long) rows * at.length());
        }
        return weights;
    }

    /** A warp for each row while its registers hold it, beyond that a block. */
    private static void launchRows(Launch launch, Heads at, AttentionParams p) {
        launch.integer(at.rows()).integer(at.length()).number(p.scale());
        if (at.length() <= WARP_COLUMNS) launch.warps(at.rows());
        else launch.grid(at.rows(), 1, 256, 1, 0);
    }

    /** Where the heads of qkv [N, L, 3·heads·d] and of packed arrays [N, L, heads·d] lie, for one batch over the images. */
    record Heads(Matrix qkv, int images, int length, int heads, int width) {
        static Heads of(AttentionParams p, Tensor qkv) {
            Shape s = qkv.shape();
            int row = s.get(2);
            return new Heads(Matrix.of(qkv, row, (long) s.get(1) * row), s.get(0), s.get(1), p.heads(), p.headWidth(s));
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
            return new Matrix(dtype, packed.address(), row, (long) length * row).at((long) head * width);
        }

        /** An array [N, heads, L, L]. */
        Matrix square(DType dtype, Buffer block) {
            return new Matrix(dtype, block.address(), length, (long) heads * length * length);
        }

        /** One head of {@link #square}. */
        Matrix head(Matrix square, int head) {
            return square.at((long) head * length * length);
        }

        /** Rows of all scores together. */
        int rows() {
            return images * heads * length;
        }

        /** Number of all scores. */
        long scores() {
            return (long) rows() * length;
        }

        /** Room for what has the type of the tensors where the scores are floats: the scores themselves if both are the same. */
        Buffer probabilities(Engine engine, Buffer scores) {
            return qkv.dtype() == DType.F32
                    ? scores
                    : engine.scratch(scores() * qkv.dtype().bytes());
        }

        static void release(Buffer scores, Buffer other) {
            if (other != scores) other.release();
            scores.release();
        }

        /** y ← op(a) · op(b) with L rows, for every image. */
        void multiply(Products products, boolean ta, boolean tb, Matrix a, Matrix b, Matrix y, int columns, int inner) {
            products.multiply(ta, tb, length, columns, inner, a, b, y, images);
        }
    }
}
