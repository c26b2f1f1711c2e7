package tensor.backend.cuda;

import java.util.ArrayList;
import java.util.List;
import tensor.DType;
import tensor.Tensor;
import tensor.backend.AttentionParams;
import tensor.backend.cuda.Attentions.Heads;
import tensor.memory.Buffer;

/**
 * Linear attention: two softmaxes by our kernels, the rest products by cuBLAS.
 *
 * <pre>q̂ = scale · softmax_d(q)      k̂ = softmax_L(k)      context = k̂ᵀ v      y = q̂ · context
 *   dq̂ = dy · contextᵀ      dcontext = q̂ᵀ dy      dv = k̂ · dcontext      dk̂ = v · dcontextᵀ</pre>
 */
final class LinearAttentions {
    private final Engine engine;
    private final Products products;

    LinearAttentions(Engine engine, Products products) {
        this.engine = engine;
        this.products = products;
    }

    /** {@link tensor.backend.Backend#linearAttention}. */
    void forward(AttentionParams p, Tensor qkv, Tensor y, Tensor context, Tensor logSum) {
        Heads at = Heads.of(p, qkv);
        int width = at.heads() * at.width();
        DType type = qkv.dtype();
        engine.launch(Kernel.KEY_LOG_SUM, type)
                .tensor(qkv)
                .tensor(logSum)
                .integer(at.images())
                .integer(at.length())
                .integer(width)
                .grid((width + 31) / 32, at.images(), 256, 1, 0);
        Buffer q = queries(at, p, qkv);
        Buffer k = keys(at, qkv, logSum);
        for (Group g : Group.of(at)) {
            Buffer full = g.full(engine, type);
            Matrix m = g.matrix(type, full);
            context(g, at.part(type, k, g.first), at.value(g.first), m);
            g.launch(engine.launch(Kernel.DIAGONAL_BLOCKS, type)
                    .address(full.address())
                    .tensor(context));
            g.multiply(products, false, at.part(type, q, g.first), m, at.part(y, g.first));
            full.release();
        }
        k.release();
        q.release();
    }

    /** {@link tensor.backend.Backend#linearAttentionBackward}. */
    void backward(AttentionParams p, Tensor qkv, Tensor context, Tensor logSum, Tensor dy, Tensor dqkv) {
        Heads at = Heads.of(p, qkv);
        Heads to = Heads.of(p, dqkv);
        int d = at.width();
        int width = at.heads() * d;
        DType type = qkv.dtype();
        long packed = (long) at.images() * at.length() * width * type.bytes();
        Buffer q = queries(at, p, qkv);
        Buffer k = keys(at, qkv, logSum);
        Buffer dq = engine.scratch(packed);
        Buffer dk = engine.scratch(packed);
        Buffer dcontext = engine.scratch((long) at.images() * width * d * type.bytes());
        Buffer dot = engine.scratch((long) at.images() * width * DType.F32.bytes());
        for (Group g : Group.of(at)) {
            Buffer full = g.full(engine, type);
            Buffer dfull = g.full(engine, type);
            Matrix m = g.matrix(type, full);
            Matrix dm = g.matrix(type, dfull);
            g.launch(engine.launch(Kernel.BLOCK_DIAGONAL, type).tensor(context).address(full.address()));
            context(g, at.part(type, q, g.first), at.part(dy, g.first), dm);
            g.launch(engine.launch(Kernel.DIAGONAL_BLOCKS, type)
                    .address(dfull.address())
                    .address(dcontext.address()));
            g.multiply(products, true, at.part(dy, g.first), m, at.part(type, dq, g.first));
            g.multiply(products, false, at.part(type, k, g.first), dm, to.value(g.first));
            g.multiply(products, true, at.value(g.first), dm, at.part(type, dk, g.first));
            dfull.release();
            full.release();
        }
        engine.launch(Kernel.ROW_DOT, type)
                .address(dcontext.address())
                .tensor(context)
                .address(dot.address())
                .integer(at.images() * width)
                .integer(d)
                .warps((long) at.images() * width);
        engine.launch(Kernel.QUERY_SOFTMAX_BACKWARD, type)
                .address(q.address())
                .address(dq.address())
                .tensor(dqkv)
                .integer(at.images())
                .integer(at.length())
                .integer(at.heads())
                .integer(d)
                .number(p.scale())
                .warps(at.rows());
        engine.launch(Kernel.KEY_SOFTMAX_BACKWARD, type)
                .address(k.address())
                .address(dk.address())
                .address(dot.address())
                .tensor(dqkv)
                .integer(at.images())
                .integer(at.length())
                .integer(width)
                .flat((long) at.rows() * d);
        for (Buffer block : new Buffer[] {dot, dcontext, dk, dq, k, q}) block.release();
    }

    /** y [w, w] ← aᵀ b over the positions. */
    private void context(Group g, Matrix a, Matrix b, Matrix y) {
        products.multiply(true, false, g.width(), g.width(), g.at.length(), a, b, y, g.at.images());
    }

    /**
     * Neighbouring heads whose products are done in one: their columns lie side by side, and where the d x d matrices of
     * single heads stand on the diagonal of one w x w matrix, zeros beside them, it does what they do. That multiplies by
     * zeros, but a product is as wide as the tensor cores like it, and is one launch.
     */
    private record Group(Heads at, int first, int count) {
        /** Columns of a group. */
        private static final int TOGETHER = 128;

        static List<Group> of(Heads at) {
            int most = Math.max(1, TOGETHER / at.width());
            List<Group> groups = new ArrayList<>();
            for (int h = 0; h < at.heads(); h += most) groups.add(new Group(at, h, Math.min(most, at.heads() - h)));
            return groups;
        }

        /** w. */
        int width() {
            return count * at.width();
        }

        /** Room for a matrix [w, w] of each image. */
        Buffer full(Engine engine, DType type) {
            return engine.scratch((long) at.images() * width() * width() * type.bytes());
        }

        Matrix matrix(DType type, Buffer full) {
            return new Matrix(type, full.address(), width(), (long) width() * width());
        }

        /** The arguments behind the two addresses. */
        void launch(Launch launch) {
            launch.integer(at.images())
                    .integer(at.heads())
                    .integer(first)
                    .integer(count)
                    .integer(at.width())
                    .flat((long) at.images() * width() * width());
        }

        /** y ← a · m or a · mᵀ, for every image. */
        void multiply(Products products, boolean transposed, Matrix a, Matrix m, Matrix y) {
            at.multiply(products, false, transposed, a, m, y, width(), width());
        }
    }

    /** q̂, packed. */
    private Buffer queries(Heads at, AttentionParams p, Tensor qkv) {
        Buffer q = engine.scratch((long) at.rows() * at.width() * qkv.dtype().bytes());
        engine.launch(Kernel.QUERY_SOFTMAX, qkv.dtype())
                .tensor(qkv)
                .address(q.address())
                .integer(at.images())
                .integer(at.length())
                .integer(at.heads())
                .integer(at.width())
                .number(p.scale())
                .warps(at.rows());
        return q;
    }

    /** k̂, packed. */
    private Buffer keys(Heads at, Tensor qkv, Tensor logSum) {
        Buffer k = engine.scratch((long) at.rows() * at.width() * qkv.dtype().bytes());
        engine.launch(Kernel.KEY_SOFTMAX, qkv.dtype())
                .tensor(qkv)
                .tensor(logSum)
                .address(k.address())
                .integer(at.images())
                .integer(at.length())
                .integer(at.heads() * at.width())
                .flat((long) at.rows() * at.width());
        return k;
    }
}
