package tensor.backend.cpu;

import static tensor.backend.cpu.Layers.address;
import static tensor.backend.cpu.Layers.half;

import java.util.Optional;
import nativelib.Cpu;
import nativelib.FreeCores;
import nativelib.Kernels;
import nativelib.NativeLibrary;
import tensor.DType;
import tensor.Shape;
import tensor.Tensor;
import tensor.backend.AdamParams;
import tensor.backend.AttentionParams;
import tensor.backend.Backend;
import tensor.backend.BinaryOp;
import tensor.backend.Checks;
import tensor.backend.Conv2dParams;
import tensor.backend.Distribution;
import tensor.backend.Enlargement;
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
import tensor.memory.CachingAllocator;
import tensor.memory.MemoryUse;
import tensor.memory.Scope;

/**
 * Computes on this machine's processor: oneDNN for convolutions and products, our own kernels for everything else, one
 * crossing into native code for each call. {@link DType#F32}, and {@link DType#BF16} where the processor has AVX-512; oneDNN
 * gains from it where it has AVX512_BF16.
 */
public final class CpuBackend implements Backend {
    private static final int MOST_AXES = 8;

    private final int threads;
    private final Precision precision;
    private final CachingAllocator allocator = new CachingAllocator(new CachingAllocator.Source() {
        @Override
        public long allocate(long bytes) {
            return Kernels.allocate(bytes);
        }

        @Override
        public void free(long address, long bytes) {
            Kernels.free(address);
        }
    });
    /** The thread whose parallel regions have our number of threads. */
    private Thread caller;

    private CpuBackend(int threads, Precision precision) {
        this.threads = threads;
        this.precision = precision;
        enter();
    }

    /** Opens the backend in {@link Precision#FP32}. */
    public static CpuBackend open(int threads) {
        return open(threads, Precision.FP32);
    }

    /**
     * Opens the backend.
     *
     * @param threads how many threads compute; 0 for all cores that other processes leave free now
     * @param precision {@link Precision#FP32} or {@link Precision#BF16}
     * @throws IllegalStateException when the native library cannot be used here, or not so, with the reason
     */
    public static CpuBackend open(int threads, Precision precision) {
        if (!NativeLibrary.isAvailable()) throw new IllegalStateException(NativeLibrary.whyNot());
        if (precision == Precision.BF16 && !Cpu.hasHalves())
            throw new IllegalStateException(
                    "bf16 needs a processor with AVX-512, this one is used with " + Cpu.isa() + "; compute in fp32");
        return new CpuBackend(threads == 0 ? FreeCores.count() : threads, precision);
    }

    /** Before every parallel call: OpenMP counts threads for each calling thread apart, and another backend may have set its own. */
    private void enter() {
        if (Thread.currentThread() == caller && Cpu.threads() == threads) return;
        NativeLibrary.threads(threads);
        caller = Thread.currentThread();
    }

    /** Before a call that writes them. */
    private static void written(Tensor... outputs) {
        for (Tensor y : outputs) if (y != null) y.buffer().written();
    }

    @Override
    public String name() {
        return "cpu";
    }

    @Override
    public String description() {
        return NativeLibrary.description() + ", " + threads + (threads == 1 ? " thread" : " threads");
    }

    @Override
    public Precision precision() {
        return precision;
    }

    @Override
    public boolean supports(DType dtype) {
        return dtype == DType.F32 || dtype == DType.BF16 && Cpu.hasHalves();
    }

    // ---- 1 memory ---------------------------------------------------------------------------------------------

    @Override
    public Buffer allocate(DType dtype, long elements) {
        Checks.allocate(this, dtype, elements);
        return allocator.allocate(elements * dtype.bytes());
    }

    @Override
    public MemoryUse memory() {
        return allocator.use();
    }

    @Override
    public void upload(float[] source, Tensor y) {
        Checks.upload(this, source.length, y);
        written(y);
        Kernels.upload(half(y), source, address(y));
    }

    @Override
    public void upload(double[] source, Tensor y) {
        Checks.upload(this, source.length, y);
        written(y);
        Kernels.uploadDoubles(half(y), source, address(y));
    }

    @Override
    public void download(Tensor x, float[] target) {
        Checks.download(this, x, target.length);
        Kernels.download(half(x), address(x), target);
    }

    @Override
    public void download(Tensor x, double[] target) {
        Checks.download(this, x, target.length);
        Kernels.downloadDoubles(half(x), address(x), target);
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
        enter();
        written(y);
        Kernels.fill(half(y), address(y), y.shape().size(), (float) value);
    }

    @Override
    public void copy(Region from, Region to) {
        Checks.copy(this, from, to);
        fewAxes("copy", to.sizes().length);
        enter();
        written(to.tensor());
        Kernels.copy(half(from.tensor()), start(from), from.strides(), start(to), to.strides(), to.sizes());
    }

    @Override
    public void copy(Region[] from, Region[] to) {
        Checks.copy(this, from, to);
        for (int i = 0; i < from.length; i++) copy(from[i], to[i]);
    }

    private static long start(Region region) {
        return address(region.tensor())
                + region.offset() * region.tensor().dtype().bytes();
    }

    private static void fewAxes(String call, int axes) {
        if (axes > MOST_AXES)
            throw new IllegalArgumentException(call + ": " + axes + " axes, the backend cpu has at most " + MOST_AXES
                    + "; join neighbouring ones");
    }

    @Override
    public void cast(Tensor x, Tensor y) {
        Checks.cast(this, x, y);
        if (x.dtype() == y.dtype()) {
            copy(Region.of(x), Region.of(y));
            return;
        }
        enter();
        written(y);
        if (half(y)) Kernels.narrow(address(x), address(y), y.shape().size());
        else Kernels.widen(address(x), address(y), y.shape().size());
    }

    @Override
    public void unary(UnaryOp f, Tensor x, Tensor y) {
        Checks.unary(this, f, x, y);
        enter();
        written(y);
        Kernels.unary(half(x), f.ordinal(), address(x), address(y), y.shape().size());
    }

    @Override
    public void binary(BinaryOp f, Tensor a, Tensor b, Tensor y) {
        Checks.binary(this, f, a, b, y);
        fewAxes(f.name(), y.shape().rank());
        enter();
        written(y);
        Shape shape = y.shape();
        Kernels.binary(
                half(a),
                f.ordinal(),
                address(a),
                a.shape().stridesIn(shape),
                address(b),
                b.shape().stridesIn(shape),
                address(y),
                shape.toArray());
    }

    @Override
    public void reduce(ReduceOp f, Tensor x, Tensor y) {
        Checks.reduce(this, f, x, y);
        fewAxes("reduce", x.shape().rank());
        enter();
        written(y);
        Kernels.reduce(
                half(x),
                f.ordinal(),
                address(x),
                x.shape().toArray(),
                address(y),
                y.shape().toArray());
    }

    @Override
    public void random(Distribution distribution, long seed, long offset, Tensor y) {
        Checks.random(this, offset, y);
        enter();
        written(y);
        Kernels.random(
                half(y),
                distribution.kind().ordinal(),
                distribution.parameter(),
                seed,
                offset,
                address(y),
                y.shape().size());
    }

    @Override
    public void dropout(Mask mask, Tensor x, Tensor y) {
        Checks.dropout(this, x, y);
        enter();
        written(y);
        Kernels.dropout(
                half(x),
                mask.keep(),
                mask.seed(),
                mask.offset(),
                address(x),
                address(y),
                y.shape().size());
    }

    @Override
    public void gather(Tensor table, Tensor index, Tensor y) {
        Checks.gather(this, table, index, y);
        enter();
        written(y);
        int rows = table.shape().get(0);
        int wrong = Kernels.gather(
                half(table),
                address(table),
                rows,
                table.shape().rowSize(),
                address(index),
                index.shape().size(),
                address(y));
        refuse("gather", wrong, index, rows);
    }

    @Override
    public void scatterAdd(Tensor index, Tensor dy, Tensor dtable) {
        Checks.scatterAdd(this, index, dy, dtable);
        enter();
        written(dtable);
        int rows = dtable.shape().get(0);
        int wrong = Kernels.scatterAdd(
                half(dtable),
                address(index),
                index.shape().size(),
                address(dy),
                address(dtable),
                rows,
                dtable.shape().rowSize());
        refuse("scatterAdd", wrong, index, rows);
    }

    /** Throws when the kernel met an index that names no row. */
    private void refuse(String call, int wrong, Tensor index, int rows) {
        if (wrong >= 0) Checks.row(call, wrong, index.toDoubles()[wrong], rows);
    }

    // ---- 3 linear algebra -------------------------------------------------------------------------------------

    @Override
    public void matmul(boolean ta, boolean tb, Tensor a, Tensor b, Tensor bias, Tensor y) {
        Checks.matmul(this, ta, tb, a, b, bias, y);
        enter();
        written(y);
        Layers.matmul(ta, tb, a, b, bias, y);
    }

    @Override
    public void conv2d(Conv2dParams p, Tensor x, Tensor w, Tensor bias, Tensor z, Tensor y) {
        Checks.conv2d(this, p, x, w, bias, z, y);
        if (p.enlarge() > 1) {
            try (Scope scope = Scope.open("enlarged")) {
                conv2d(p.enlarging(1), Enlargement.forward(this, x, p.enlarge()), w, bias, z, y);
            }
            return;
        }
        if (Layers.looksBeyond(p, x, w, y)) {
            try (Scope scope = Scope.open("bordered")) {
                Tensor bordered = x.empty(Border.shape(p, x.shape()));
                fill(bordered, 0);
                copy(Region.of(x), Border.inside(p, bordered, x.shape()));
                conv2d(p.bordered(), bordered, w, bias, z, y);
            }
            return;
        }
        enter();
        written(y);
        Layers.conv2d(p, x, w, bias, y);
        if (z != null) binary(BinaryOp.ADD, y, z, y);
    }

    @Override
    public void conv2dBackwardData(Conv2dParams p, Tensor w, Tensor dy, Tensor dx) {
        Checks.conv2dBackwardData(this, p, w, dy, dx);
        if (p.enlarge() > 1) {
            try (Scope scope = Scope.open("enlarged")) {
                Tensor large = dx.empty(Enlargement.shape(dx.shape(), p.enlarge()));
                conv2dBackwardData(p.enlarging(1), w, dy, large);
                Enlargement.backward(this, large, dx);
            }
            return;
        }
        enter();
        written(dx);
        Layers.conv2dBackwardData(p, w, dy, dx);
    }

    @Override
    public void conv2dBackwardWeights(Conv2dParams p, Tensor x, Tensor dy, Tensor dw, Tensor dbias) {
        Checks.conv2dBackwardWeights(this, p, x, dy, dw, dbias);
        if (p.enlarge() > 1) {
            try (Scope scope = Scope.open("enlarged")) {
                conv2dBackwardWeights(p.enlarging(1), Enlargement.forward(this, x, p.enlarge()), dy, dw, dbias);
            }
            return;
        }
        if (Layers.skipsPixels(p, x, dw)) {
            try (Scope scope = Scope.open("met")) {
                Region met = Layers.pixelsMet(p, x, dy);
                Tensor pixels = x.empty(Shape.of(met.sizes()));
                copy(met, Region.of(pixels));
                conv2dBackwardWeights(Layers.PIXEL_BY_PIXEL, pixels, dy, dw, dbias);
            }
            return;
        }
        if (Layers.asksForFloats(p, x)) {
            try (Scope scope = Scope.open("floats")) {
                Tensor wide = Tensor.empty(this, DType.F32, dw.shape());
                Tensor sums = dbias == null ? null : Tensor.empty(this, DType.F32, dbias.shape());
                conv2dBackwardWeights(p, x.cast(DType.F32), dy.cast(DType.F32), wide, sums);
                cast(wide, dw);
                if (dbias != null) cast(sums, dbias);
            }
            return;
        }
        enter();
        written(dw, dbias);
        Layers.conv2dBackwardWeights(p, x, dy, dw, dbias);
    }

    // ---- 4 normalisation, softmax, attention ------------------------------------------------------------------

    @Override
    public void groupNorm(NormParams p, Mask mask, NormInputs in, Tensor y, Tensor mean, Tensor rstd) {
        Checks.groupNorm(this, p, in, y, mean, rstd);
        enter();
        written(y, mean, rstd);
        Norms.forward(p, in, y, mean, rstd);
        if (mask != null) dropout(mask, y, y);
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
        if (mask != null) {
            try (Scope scope = Scope.open("dropout")) {
                Tensor masked = dy.emptyLike();
                dropout(mask, dy, masked);
                groupNormBackward(p, null, in, mean, rstd, masked, before, d);
            }
            return;
        }
        enter();
        d.tensors().forEach(CpuBackend::written);
        Norms.backward(p, in, mean, rstd, dy, before, d);
    }

    @Override
    public void softmax(int axis, Tensor x, Tensor y) {
        Checks.softmax(this, axis, x, y);
        enter();
        written(y);
        Layers.softmax(axis, x, y);
    }

    @Override
    public void softmaxBackward(int axis, Tensor y, Tensor dy, Tensor dx) {
        Checks.softmaxBackward(this, axis, y, dy, dx);
        enter();
        written(dx);
        Layers.softmaxBackward(axis, y, dy, dx);
    }

    @Override
    public void attention(AttentionParams p, Tensor qkv, Tensor y, Tensor logSum) {
        Checks.attention(this, p, qkv, y, logSum);
        enter();
        written(y, logSum);
        Shape s = qkv.shape();
        Kernels.attention(
                half(qkv),
                s.get(0),
                s.get(1),
                p.heads(),
                p.headWidth(s),
                (float) p.scale(),
                address(qkv),
                address(y),
                address(logSum));
    }

    @Override
    public void attentionBackward(AttentionParams p, Tensor qkv, Tensor y, Tensor logSum, Tensor dy, Tensor dqkv) {
        Checks.attentionBackward(this, p, qkv, y, logSum, dy, dqkv);
        enter();
        written(dqkv);
        Shape s = qkv.shape();
        Kernels.attentionBackward(
                half(qkv),
                s.get(0),
                s.get(1),
                p.heads(),
                p.headWidth(s),
                (float) p.scale(),
                address(qkv),
                address(y),
                address(logSum),
                address(dy),
                address(dqkv));
    }

    @Override
    public void linearAttention(AttentionParams p, Tensor x, Tensor w, Tensor y, Tensor context, Tensor logSum) {
        Checks.linearAttention(this, p, x, w, y, context, logSum);
        enter();
        written(y, context, logSum);
        Shape s = Projection.shape(x, w);
        Kernels.linearAttention(
                half(x),
                s.get(0),
                s.get(1),
                p.heads(),
                p.headWidth(s),
                (float) p.scale(),
                w == null ? 0 : w.shape().get(1),
                address(x),
                address(w),
                address(y),
                address(context),
                address(logSum));
    }

    @Override
    public void linearAttentionBackward(
            AttentionParams p, Tensor x, Tensor w, Tensor context, Tensor logSum, Tensor dy, Tensor dx, Tensor dw) {
        Checks.linearAttentionBackward(this, p, x, w, context, logSum, dy, dx, dw);
        enter();
        written(dx, dw);
        Shape s = Projection.shape(x, w);
        Kernels.linearAttentionBackward(
                half(x),
                s.get(0),
                s.get(1),
                p.heads(),
                p.headWidth(s),
                (float) p.scale(),
                w == null ? 0 : w.shape().get(1),
                address(x),
                address(w),
                address(context),
                address(logSum),
                address(dy),
                address(dx),
                address(dw));
    }

    // ---- 5 updates --------------------------------------------------------------------------------------------

    @Override
    public void adam(AdamParams p, Tensor[] w, Tensor[] dw, Tensor[] m, Tensor[] v) {
        Checks.adam(this, w, dw, m, v);
        enter();
        written(w);
        written(m);
        written(v);
        Updates.adam(p, w, dw, m, v);
    }

    @Override
    public void exponentialAverage(double decay, Tensor[] average, Tensor[] w) {
        Checks.exponentialAverage(this, decay, average, w);
        enter();
        written(average);
        Updates.exponentialAverage(decay, average, w);
    }

    @Override
    public double sumOfSquares(Tensor[] x) {
        Checks.sumOfSquares(this, x);
        enter();
        return Updates.sumOfSquares(x);
    }

    @Override
    public void cast(Tensor[] x, Tensor[] y) {
        Checks.cast(this, x, y);
        for (int i = 0; i < x.length; i++) cast(x[i], y[i]);
    }

    /**
     * Lets the calling thread run on every core again and gives the cached memory back. The other threads and oneDNN's primitives
     * are the process's and stay, for the next backend.
     *
     * @throws IllegalStateException when tensors are still in use
     */
    @Override
    public void close() {
        Cpu.leave(); // first: the allocator throws when tensors are in use
        allocator.close();
    }
}
