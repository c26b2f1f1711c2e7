package tensor.backend;

import java.util.Optional;
import tensor.DType;
import tensor.Tensor;
import tensor.memory.Buffer;
import tensor.memory.MemoryUse;

/**
 * The whole contract between mathematics and silicon. The caller allocates every output; all tensors of a call live on
 * this backend and have one dtype, except that beside {@link DType#BF16} what must be exact is {@link DType#F32}
 * ({@link DType#exact}): the index of {@link #gather}, in a norm everything but x, y, dy, dx, the logSum of an attention.
 * Parameters are never BF16, their gradients may be; sums are in 32-bit floats or better whatever the type. Pointwise outputs
 * may alias their inputs; no other output may.
 *
 * <p>A method is here because a library has a better kernel for it, or a measurement says that composing it from the
 * others costs too much. There are no default implementations: {@code reference} is the definition, in plain loops, and
 * the others are held against it. Calls come from one thread at a time. Shapes are checked here, before any crossing
 * into native code ({@link Checks}); a wrong one throws {@link IllegalArgumentException}.
 */
public interface Backend extends AutoCloseable {
    /** Short name: {@code reference}, {@code cpu}, {@code cuda}. */
    String name();

    /** One line for people: library, version, instruction set, threads. */
    String description();

    /** How exactly it computes; the type of the values inside a network follows from it. */
    Precision precision();

    /** Whether tensors of this type can be made here. */
    boolean supports(DType dtype);

    // ---- 1 memory ---------------------------------------------------------------------------------------------

    /** A block for {@code elements} values, contents undefined. It has one reference, which the caller owns. */
    Buffer allocate(DType dtype, long elements);

    /** What this backend's allocator holds now. */
    MemoryUse memory();

    /** y ← source, row-major. */
    void upload(float[] source, Tensor y);

    /** y ← source, rounded to y's type. */
    void upload(double[] source, Tensor y);

    /** target ← x. */
    void download(Tensor x, float[] target);

    /** target ← x. */
    void download(Tensor x, double[] target);

    /**
     * Notes down the calls that {@code body} makes, without doing them, to be done again and again by
     * {@link Recording#replay}. The same calls must have been made before, so that whatever a first call needs is there.
     *
     * @return nothing where a call is done when it returns, so that noting it down would gain nothing; the body has not
     *     been run then
     */
    Optional<Recording> record(Recording.Body body);

    /** Waits until everything asked for has been done; throws what was found to be wrong on the way. */
    void synchronize();

    // ---- 2 pointwise, movement, chance ------------------------------------------------------------------------

    /** y ← value everywhere. */
    void fill(Tensor y, double value);

    /** to ← from; the two regions have the same sizes. Slice, concat, pad, permute, upsample: one strided copy. */
    void copy(Region from, Region to);

    /** to[i] ← from[i] for every i, in any order; no to[i] shares its elements with another or with a from[i]. */
    void copy(Region[] from, Region[] to);

    /** y ← x, rounded to y's type; same shape. */
    void cast(Tensor x, Tensor y);

    /** y ← f(x), same shape. */
    void unary(UnaryOp f, Tensor x, Tensor y);

    /** y ← f(a, b), with a and b broadcast to y's shape. */
    void binary(BinaryOp f, Tensor a, Tensor b, Tensor y);

    /** y ← f over every axis where y has extent 1 and x has not; same rank. */
    void reduce(ReduceOp f, Tensor x, Tensor y);

    /**
     * y ← draws {@code offset, offset + 1, …} of the stream {@code seed} (see {@link Philox}). {@code offset} is a
     * multiple of 4.
     */
    void random(Distribution distribution, long seed, long offset, Tensor y);

    /** y[i] ← x[i] · mask[i]; y may be x. */
    void dropout(Mask mask, Tensor x, Tensor y);

    /**
     * y[i, …] ← table[index[i], …]; index [N] holds whole numbers in 0 … V−1 and anything else throws, here or, on a
     * backend that computes beside the host, when the host next waits for it; table [V, …], y [N, …].
     */
    void gather(Tensor table, Tensor index, Tensor y);

    /** dtable ← 0, then dtable[index[i], …] += dy[i, …] in the order of i. */
    void scatterAdd(Tensor index, Tensor dy, Tensor dtable);

    // ---- 3 linear algebra -------------------------------------------------------------------------------------

    /**
     * y ← op(a) · op(b) + bias, batched over the leading axes: a [.., M, K] (or [.., K, M] when {@code ta}), b
     * [.., K, N] (or [.., N, K] when {@code tb}), y [.., M, N], bias [N] or {@code null}. A factor of rank 2 serves
     * every batch.
     */
    void matmul(boolean ta, boolean tb, Tensor a, Tensor b, Tensor bias, Tensor y);

    /**
     * y ← x ∗ w + bias + z; x [N,H,W,C], w [K,R,S,C/groups], bias [K] or {@code null}, z like y or {@code null}: what a
     * residual block goes around, y [N,P,Q,K]. With {@link Conv2dParams#enlarge} 2 the filters see x enlarged to [N,2H,2W,C].
     */
    void conv2d(Conv2dParams p, Tensor x, Tensor w, Tensor bias, Tensor z, Tensor y);

    /**
     * dx ← the gradient of {@link #conv2d} with respect to x, also the transposed convolution of dy; summed over the 2x2 places
     * of a pixel that is enlarged.
     */
    void conv2dBackwardData(Conv2dParams p, Tensor w, Tensor dy, Tensor dx);

    /** dw ← the gradient of {@link #conv2d} with respect to w, x enlarged likewise, and dbias [K] unless {@code null}. */
    void conv2dBackwardWeights(Conv2dParams p, Tensor x, Tensor dy, Tensor dw, Tensor dbias);

    // ---- 4 normalisation, softmax, attention ------------------------------------------------------------------

    /**
     * Group norm, affine map, optional time conditioning in two forms, optional SiLU, optional dropout, over x [N, …, C]:
     * <pre>x̂ = (x + offset − mean) · rstd      h = x̂ · gamma + beta      z = h · (1 + scale) + shift
     * y = mask · silu(z) or mask · z</pre>
     * mask, as in {@link #dropout}, or {@code null} (1). x, offset, gamma, beta, scale, shift stand in {@code in}; mean, rstd
     * [N, groups] of x + offset are written for the backward pass. The variance is the biased one.
     */
    void groupNorm(NormParams p, Mask mask, NormInputs in, Tensor y, Tensor mean, Tensor rstd);

    /**
     * Gradients of {@link #groupNorm}, from what it was given and wrote. Those of {@code in} stand in {@code d}, where the same
     * are {@code null}. dx ← Σ before + the gradient; before, at most two tensors like x, is what other uses of x have
     * contributed.
     */
    void groupNormBackward(
            NormParams p, Mask mask, NormInputs in, Tensor mean, Tensor rstd, Tensor dy, Tensor[] before, NormInputs d);

    /** y ← exp(x − max) / Σ exp(x − max) along one axis (0 … rank−1). */
    void softmax(int axis, Tensor x, Tensor y);

    /** dx ← y · (dy − Σ y·dy) along the axis. */
    void softmaxBackward(int axis, Tensor y, Tensor dy, Tensor dx);

    /**
     * Softmax attention (Vaswani et al. 2017, Eq. 1), each head by itself. qkv [N, L, 3·heads·d] holds queries, keys,
     * values side by side, each cut into heads of d:
     * <pre>y_i = Σ_j P_ij v_j      P_i = softmax_j(scale · q_i · k_j)</pre>
     * y [N, L, heads·d]; logSum [N, heads, L] keeps log Σ_j exp(scale · q_i · k_j).
     */
    void attention(AttentionParams p, Tensor qkv, Tensor y, Tensor logSum);

    /** dqkv ← the gradient of {@link #attention}, from its input, result and logSum. */
    void attentionBackward(AttentionParams p, Tensor qkv, Tensor y, Tensor logSum, Tensor dy, Tensor dqkv);

    /**
     * Linear attention (Shen et al. 2021), each head by itself; qkv [N, L, 3·heads·d] laid out as in {@link #attention}. It is
     * x itself where w is {@code null}, else a projection that is never kept: qkv = x wᵀ, x [N, L, C], w [3·heads·d, C].
     * <pre>q̂ = scale · softmax over the d features of q      k̂ = softmax over the L positions of k
     * context = k̂ᵀ v  [d, d]                            y = q̂ · context</pre>
     * context [N, heads, d, d] and logSum [N, heads·d] (log Σ over positions of exp k) are written for the backward
     * pass.
     */
    void linearAttention(AttentionParams p, Tensor x, Tensor w, Tensor y, Tensor context, Tensor logSum);

    /** Gradients of {@link #linearAttention}, from its inputs, context and logSum; dw is {@code null} exactly where w is. */
    void linearAttentionBackward(
            AttentionParams p, Tensor x, Tensor w, Tensor context, Tensor logSum, Tensor dy, Tensor dx, Tensor dw);

    // ---- 5 updates: one call for all parameters ---------------------------------------------------------------

    /** y[i] ← x[i], rounded to the type of y[i]; the same shapes. */
    void cast(Tensor[] x, Tensor[] y);

    /** One Adam update of every w[i] and its moments m[i], v[i] by the gradient dw[i], of any type, in place. */
    void adam(AdamParams p, Tensor[] w, Tensor[] dw, Tensor[] m, Tensor[] v);

    /** average[i] ← decay · average[i] + (1 − decay) · w[i], for every i. */
    void exponentialAverage(double decay, Tensor[] average, Tensor[] w);

    /** Σ over all elements of all x[i], of any type, of x², added in double in a fixed order; not finite when any element is not. */
    double sumOfSquares(Tensor[] x);

    /** Gives back what the backend holds for itself beyond tensors: cached memory; descriptors and queues, where it has such. */
    @Override
    void close();
}
