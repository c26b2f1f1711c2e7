package tensor.backend.reference;

import java.util.Arrays;
import java.util.Optional;
import java.util.concurrent.ForkJoinPool;
import java.util.concurrent.atomic.AtomicLong;
import tensor.DType;
import tensor.Tensor;
import tensor.backend.AdamParams;
import tensor.backend.AttentionParams;
import tensor.backend.Backend;
import tensor.backend.BinaryOp;
import tensor.backend.Checks;
import tensor.backend.Conv2dParams;
import tensor.backend.Distribution;
import tensor.backend.Mask;
import tensor.backend.NormInputs;
import tensor.backend.NormParams;
import tensor.backend.Precision;
import tensor.backend.Projection;
import tensor.backend.Recording;
import tensor.backend.ReduceOp;
import tensor.backend.Region;
import tensor.backend.UnaryOp;
import tensor.memory.Buffer;
import tensor.memory.MemoryUse;
import tensor.memory.Scope;

/**
 * The definition of every {@link Backend} call, in plain Java loops over arrays. One arithmetic: elements are read as
 * double, computed in double, and rounded once when they are stored, so an F32 result is as good as F32 can be, and an
 * F64 tensor goes through the same lines without any rounding.
 *
 * <p>Here every call is three steps: check, unpack, compute. The mathematics is in the classes beside this one, one for
 * each question: {@link Pointwise}, {@link Movement}, {@link Reduction}, {@link Matmul}, {@link Convolution},
 * {@link GroupNorm}, {@link Softmax}, {@link Attention}, {@link LinearAttention}, {@link Updates}. Results do not depend
 * on the number of threads.
 */
public final class ReferenceBackend implements Backend {
    private final AtomicLong live = new AtomicLong();
    private final Precision precision;
    private long peak;

    /** Networks compute in 32-bit floats here. */
    public ReferenceBackend() {
        this(Precision.FP32);
    }

    /** Networks compute in this precision; its products are exact all the same. */
    public ReferenceBackend(Precision precision) {
        this.precision = precision;
    }

    @Override
    public String name() {
        return "reference";
    }

    @Override
    public String description() {
        return "plain Java loops in double precision, Java " + Runtime.version().feature() + ", "
                + (ForkJoinPool.getCommonPoolParallelism() + 1) + " threads";
    }

    @Override
    public Precision precision() {
        return precision;
    }

    @Override
    public boolean supports(DType dtype) {
        return true;
    }

    // ---- arrays behind tensors --------------------------------------------------------------------------------

    private static ArrayBlock block(Tensor t) {
        return (ArrayBlock) t.buffer().block();
    }

    /** The elements of an input, or {@code null} when it is absent. */
    private static double[] read(Tensor t) {
        return t == null ? null : block(t).read();
    }

    /** Room for an output, or {@code null} when it is not wanted. */
    private static double[] room(Tensor t) {
        return t == null ? null : block(t).room();
    }

    /** values ← values + more, unless that is {@code null}. */
    private static void add(double[] more, double[] values) {
        if (more == null) return;
        for (int i = 0; i < values.length; i++) values[i] += more[i];
    }

    /** Stores what was computed, rounded once. */
    private static void store(Tensor t, double[] values) {
        if (t == null) return;
        t.buffer().written();
        block(t).store(values);
    }

    // ---- 1 memory ---------------------------------------------------------------------------------------------

    @Override
    public Buffer allocate(DType dtype, long elements) {
        Checks.allocate(this, dtype, elements);
        Buffer buffer = new Buffer(new ArrayBlock(dtype, (int) elements, live));
        peak = Math.max(peak, live.addAndGet(buffer.bytes()));
        return buffer;
    }

    /** Nothing is cached: what is reserved is what is live. */
    @Override
    public MemoryUse memory() {
        long now = live.get();
        return new MemoryUse(now, now, peak);
    }

    @Override
    public void upload(float[] source, Tensor y) {
        Checks.upload(this, source.length, y);
        y.buffer().written();
        block(y).store(source);
    }

    @Override
    public void upload(double[] source, Tensor y) {
        Checks.upload(this, source.length, y);
        store(y, source);
    }

    @Override
    public void download(Tensor x, float[] target) {
        Checks.download(this, x, target.length);
        block(x).copyTo(target);
    }

    @Override
    public void download(Tensor x, double[] target) {
        Checks.download(this, x, target.length);
        block(x).copyTo(target);
    }

    /** Every call has finished when it returns. */
    @Override
    public void synchronize() {}

    @Override
    public Optional<Recording> record(Recording.Body body) {
        return Optional.empty();
    }

    // ---- 2 pointwise, movement, chance ------------------------------------------------------------------------

    @Override
    public void fill(Tensor y, double value) {
        Checks.fill(this, y);
        double[] values = room(y);
        Arrays.fill(values, value);
        store(y, values);
    }

    @Override
    public void copy(Region from, Region to) {
        Checks.copy(this, from, to);
        double[] y = read(to.tensor()); // elements outside the region stay
        Movement.copy(read(from.tensor()), from, y, to);
        store(to.tensor(), y);
    }

    @Override
    public void copy(Region[] from, Region[] to) {
        Checks.copy(this, from, to);
        for (int i = 0; i < from.length; i++) copy(from[i], to[i]);
    }

    @Override
    public void cast(Tensor x, Tensor y) {
        Checks.cast(this, x, y);
        store(y, read(x).clone());
    }

    @Override
    public void unary(UnaryOp f, Tensor x, Tensor y) {
        Checks.unary(this, f, x, y);
        double[] values = room(y);
        Pointwise.unary(f, read(x), values);
        store(y, values);
    }

    @Override
    public void binary(BinaryOp f, Tensor a, Tensor b, Tensor y) {
        Checks.binary(this, f, a, b, y);
        double[] values = room(y);
        Pointwise.binary(f, read(a), a.shape(), read(b), b.shape(), values, y.shape());
        store(y, values);
    }

    @Override
    public void reduce(ReduceOp f, Tensor x, Tensor y) {
        Checks.reduce(this, f, x, y);
        double[] values = room(y);
        Reduction.reduce(f, read(x), x.shape(), values, y.shape());
        store(y, values);
    }

    @Override
    public void random(Distribution distribution, long seed, long offset, Tensor y) {
        Checks.random(this, offset, y);
        double[] values = room(y);
        Pointwise.random(distribution, seed, offset, values);
        store(y, values);
    }

    @Override
    public void dropout(Mask mask, Tensor x, Tensor y) {
        Checks.dropout(this, x, y);
        store(y, masked(mask, read(x)));
    }

    /** values · mask; the values themselves for {@code null}. */
    private static double[] masked(Mask mask, double[] values) {
        if (mask == null) return values;
        double[] products = new double[values.length];
        Pointwise.random(Distribution.keep(mask.keep()), mask.seed(), mask.offset(), products);
        for (int i = 0; i < values.length; i++) products[i] *= values[i];
        return products;
    }

    @Override
    public void gather(Tensor table, Tensor index, Tensor y) {
        Checks.gather(this, table, index, y);
        double[] values = room(y);
        Movement.gather(read(table), read(index), table.shape().rowSize(), values);
        store(y, values);
    }

    @Override
    public void scatterAdd(Tensor index, Tensor dy, Tensor dtable) {
        Checks.scatterAdd(this, index, dy, dtable);
        double[] values = room(dtable);
        Movement.scatterAdd(read(index), read(dy), dtable.shape().rowSize(), values);
        store(dtable, values);
    }

    // ---- 3 linear algebra -------------------------------------------------------------------------------------

    @Override
    public void matmul(boolean ta, boolean tb, Tensor a, Tensor b, Tensor bias, Tensor y) {
        Checks.matmul(this, ta, tb, a, b, bias, y);
        double[] values = room(y);
        Matmul.matmul(ta, tb, read(a), a.shape(), read(b), b.shape(), read(bias), values, y.shape());
        store(y, values);
    }

    @Override
    public void conv2d(Conv2dParams p, Tensor x, Tensor w, Tensor bias, Tensor z, Tensor y) {
        Checks.conv2d(this, p, x, w, bias, z, y);
        double[] values = room(y);
        new Convolution(p, x.shape(), w.shape(), y.shape()).forward(read(x), read(w), read(bias), values);
        add(read(z), values);
        store(y, values);
    }

    @Override
    public void conv2dBackwardData(Conv2dParams p, Tensor w, Tensor dy, Tensor dx) {
        Checks.conv2dBackwardData(this, p, w, dy, dx);
        double[] values = room(dx);
        new Convolution(p, dx.shape(), w.shape(), dy.shape()).backwardData(read(w), read(dy), values);
        store(dx, values);
    }

    @Override
    public void conv2dBackwardWeights(Conv2dParams p, Tensor x, Tensor dy, Tensor dw, Tensor dbias) {
        Checks.conv2dBackwardWeights(this, p, x, dy, dw, dbias);
        Convolution convolution = new Convolution(p, x.shape(), dw.shape(), dy.shape());
        double[] cotangent = read(dy);
        double[] weights = room(dw);
        convolution.backwardWeights(read(x), cotangent, weights);
        store(dw, weights);
        if (dbias == null) return;
        double[] bias = room(dbias);
        convolution.backwardBias(cotangent, bias);
        store(dbias, bias);
    }

    // ---- 4 normalisation, softmax, attention ------------------------------------------------------------------

    @Override
    public void groupNorm(NormParams p, Mask mask, NormInputs in, Tensor y, Tensor mean, Tensor rstd) {
        Checks.groupNorm(this, p, in, y, mean, rstd);
        double[] values = room(y);
        double[] means = room(mean);
        double[] rstds = room(rstd);
        norm(p, in).forward(read(in.x()), values, means, rstds);
        store(y, masked(mask, values));
        store(mean, means);
        store(rstd, rstds);
    }

    private GroupNorm norm(NormParams p, NormInputs in) {
        return new GroupNorm(
                p,
                in.x().shape(),
                read(in.offset()),
                read(in.gamma()),
                read(in.beta()),
                read(in.scale()),
                read(in.shift()));
    }

    @Override
    public void groupNormBackward(
            NormParams p,
            Mask mask,
            NormInputs in,
            Tensor mean,
            Tensor rstd,
            Tensor dy,
            Tensor[] before,
            NormInputs d) {
        Checks.groupNormBackward(this, p, in, mean, rstd, dy, before, d);
        double[] dx = room(d.x());
        double[] doffset = room(d.offset());
        double[] dgamma = room(d.gamma());
        double[] dbeta = room(d.beta());
        double[] dscale = room(d.scale());
        double[] dshift = room(d.shift());
        double[] masked = masked(mask, read(dy));
        norm(p, in).backward(read(in.x()), read(mean), read(rstd), masked, dx, doffset, dgamma, dbeta, dscale, dshift);
        double[] others = new double[dx.length];
        for (Tensor b : before) add(read(b), others);
        add(others, dx);
        store(d.x(), dx);
        store(d.offset(), doffset);
        store(d.gamma(), dgamma);
        store(d.beta(), dbeta);
        store(d.scale(), dscale);
        store(d.shift(), dshift);
    }

    @Override
    public void softmax(int axis, Tensor x, Tensor y) {
        Checks.softmax(this, axis, x, y);
        double[] values = room(y);
        Softmax.softmax(axis, x.shape(), read(x), values);
        store(y, values);
    }

    @Override
    public void softmaxBackward(int axis, Tensor y, Tensor dy, Tensor dx) {
        Checks.softmaxBackward(this, axis, y, dy, dx);
        double[] values = room(dx);
        Softmax.backward(axis, y.shape(), read(y), read(dy), values);
        store(dx, values);
    }

    @Override
    public void attention(AttentionParams p, Tensor qkv, Tensor y, Tensor logSum) {
        Checks.attention(this, p, qkv, y, logSum);
        double[] values = room(y);
        double[] sums = room(logSum);
        Attention.forward(p, qkv.shape(), read(qkv), values, sums);
        store(y, values);
        store(logSum, sums);
    }

    @Override
    public void attentionBackward(AttentionParams p, Tensor qkv, Tensor y, Tensor logSum, Tensor dy, Tensor dqkv) {
        Checks.attentionBackward(this, p, qkv, y, logSum, dy, dqkv);
        double[] values = room(dqkv);
        Attention.backward(p, qkv.shape(), read(qkv), read(y), read(logSum), read(dy), values);
        store(dqkv, values);
    }

    @Override
    public void linearAttention(AttentionParams p, Tensor x, Tensor w, Tensor y, Tensor context, Tensor logSum) {
        Checks.linearAttention(this, p, x, w, y, context, logSum);
        double[] values = room(y);
        double[] contexts = room(context);
        double[] sums = room(logSum);
        try (Scope scope = Scope.open("projection")) {
            Tensor qkv = w == null ? x : Projection.forward(this, x, w);
            LinearAttention.forward(p, qkv.shape(), read(qkv), values, contexts, sums);
        }
        store(y, values);
        store(context, contexts);
        store(logSum, sums);
    }

    @Override
    public void linearAttentionBackward(
            AttentionParams p, Tensor x, Tensor w, Tensor context, Tensor logSum, Tensor dy, Tensor dx, Tensor dw) {
        Checks.linearAttentionBackward(this, p, x, w, context, logSum, dy, dx, dw);
        try (Scope scope = Scope.open("projection")) {
            Tensor qkv = w == null ? x : Projection.forward(this, x, w);
            Tensor dqkv = w == null ? dx : qkv.emptyLike();
            double[] values = room(dqkv);
            LinearAttention.backward(p, qkv.shape(), read(qkv), read(context), read(logSum), read(dy), values);
            store(dqkv, values);
            if (w != null) Projection.backward(this, x, w, dqkv, dx, dw);
        }
    }

    // ---- 5 updates --------------------------------------------------------------------------------------------

    @Override
    public void adam(AdamParams p, Tensor[] w, Tensor[] dw, Tensor[] m, Tensor[] v) {
        Checks.adam(this, w, dw, m, v);
        for (int i = 0; i < w.length; i++) {
            double[] weights = read(w[i]);
            double[] first = read(m[i]);
            double[] second = read(v[i]);
            Updates.adam(p, weights, read(dw[i]), first, second);
            store(w[i], weights);
            store(m[i], first);
            store(v[i], second);
        }
    }

    @Override
    public void cast(Tensor[] x, Tensor[] y) {
        Checks.cast(this, x, y);
        for (int i = 0; i < x.length; i++) cast(x[i], y[i]);
    }

    @Override
    public void exponentialAverage(double decay, Tensor[] average, Tensor[] w) {
        Checks.exponentialAverage(this, decay, average, w);
        for (int i = 0; i < w.length; i++) {
            double[] values = read(average[i]);
            Updates.exponentialAverage(decay, values, read(w[i]));
            store(average[i], values);
        }
    }

    @Override
    public double sumOfSquares(Tensor[] x) {
        Checks.sumOfSquares(this, x);
        double sum = 0;
        for (Tensor t : x) sum += Reduction.sumOfSquares(read(t));
        return sum;
    }

    /**
     * Holds nothing but tensors.
     *
     * @throws IllegalStateException when tensors are still in use
     */
    @Override
    public void close() {
        if (live.get() != 0) throw new IllegalStateException(live.get() + " bytes are still in use by tensors");
    }
}
