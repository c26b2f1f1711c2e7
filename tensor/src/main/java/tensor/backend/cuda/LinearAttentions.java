package tensor.backend.cuda;

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
                .grid((width + 31) / 32, at.images(), 32, 8, 0);
        Buffer q = queries(at, p, qkv);
        Buffer k = keys(at, qkv, logSum);
        for (int h = 0; h < at.heads(); h++) {
            context(at, at.part(type, k, h), at.value(h), at.context(type, context.buffer(), h));
            at.multiply(
                    products,
                    false,
                    false,
                    at.part(type, q, h),
                    at.context(type, context.buffer(), h),
                    at.part(y, h),
                    at.width(),
                    at.width());
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
        for (int h = 0; h < at.heads(); h++) {
            Matrix dc = at.context(type, dcontext, h);
            context(at, at.part(type, q, h), at.part(dy, h), dc);
            at.multiply(
                    products,
                    false,
                    true,
                    at.part(dy, h),
                    at.context(type, context.buffer(), h),
                    at.part(type, dq, h),
                    d,
                    d);
            at.multiply(products, false, false, at.part(type, k, h), dc, to.value(h), d, d);
            at.multiply(products, false, true, at.value(h), dc, at.part(type, dk, h), d, d);
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

    /** y [d, d] ← aᵀ b over the positions. */
    private void context(Heads at, Matrix a, Matrix b, Matrix y) {
        products.multiply(true, false, at.width(), at.width(), at.length(), a, b, y, at.images());
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
