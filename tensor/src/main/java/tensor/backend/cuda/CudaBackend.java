package tensor.backend.cuda;

import java.util.Optional;
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
 * Computes on an NVIDIA GPU: cuDNN for convolutions and softmax, cuBLAS for products, our own kernels for everything
 * else. Calls are queued on one stream and return at once; the host waits only where it reads.
 */
public final class CudaBackend implements Backend {
    /** System property; {@code false} makes {@link #record} decline. */
    public static final String GRAPH = "ddpm.cuda.graph";
    /** System property; {@code false} keeps to launches whose blocks do not wait for one another. */
    public static final String MEET = "ddpm.cuda.meet";

    private final Engine engine;
    private final Staging staging;
    private final Dnn dnn;
    private final Products products;
    private final Movement movement;
    private final Joins joins;
    private final Cuts cuts;
    private final Reductions reductions;
    private final Indices indices;
    private final Convolutions convolutions;
    private final Norms norms;
    private final Softmaxes softmaxes;
    private final Attentions attentions;
    private final LinearAttentions linearAttentions;
    private final Updates updates;
    private final boolean graphs = !"false".equals(System.getProperty(GRAPH));

    private CudaBackend(Engine engine) {
        this.engine = engine;
        staging = new Staging(engine);
        dnn = new Dnn(engine.context());
        products = new Products(engine);
        movement = new Movement(engine);
        joins = new Joins(engine, movement);
        cuts = new Cuts(engine, movement);
        reductions = new Reductions(engine);
        indices = new Indices(engine, staging);
        convolutions = new Convolutions(engine, dnn, products, movement, reductions);
        norms = new Norms(engine, reductions, joins);
        softmaxes = new Softmaxes(engine, dnn);
        attentions = new Attentions(engine, products);
        linearAttentions = new LinearAttentions(engine, products);
        updates = new Updates(engine, staging);
    }

    /**
     * Opens the backend on the first GPU.
     *
     * @throws IllegalStateException when a library or the GPU is missing, or the GPU is full, with a sentence that says which and
     *     what to do
     */
    public static CudaBackend open(Precision precision) {
        Engine engine = null;
        try {
            engine = new Engine(precision);
            return new CudaBackend(engine);
        } catch (OutOfMemoryError e) {
            if (engine != null) engine.context().close(); // gives back what has been taken
            throw new IllegalStateException(
                    "there is no room on the GPU to begin with: " + e.getMessage()
                            + "; nvidia-smi tells who else uses it",
                    e);
        }
    }

    /** What of NVIDIA's lies where on this machine, a line for each library; loads nothing. */
    public static java.util.List<String> libraries() {
        return Libraries.look(LibrarySearch.ofHost());
    }

    /** Before a call that writes them. */
    private void written(Tensor... outputs) {
        joins.written(outputs);
    }

    @Override
    public String name() {
        return "cuda";
    }

    @Override
    public String description() {
        CudaContext context = engine.context();
        return context.name() + ", driver " + context.driver() + ", cuBLAS " + products.version() + ", cuDNN "
                + Dnn.version() + ", " + engine.precision();
    }

    @Override
    public Precision precision() {
        return engine.precision();
    }

    @Override
    public boolean supports(DType dtype) {
        return engine.supports(dtype);
    }

    // ---- 1 memory ---------------------------------------------------------------------------------------------

    @Override
    public Buffer allocate(DType dtype, long elements) {
        Checks.allocate(this, dtype, elements);
        engine.context().enter();
        return engine.scratch(elements * dtype.bytes());
    }

    @Override
    public MemoryUse memory() {
        return engine.arena().use();
    }

    @Override
    public void upload(float[] source, Tensor y) {
        Checks.upload(this, source.length, y);
        engine.context().enter();
        written(y);
        staging.upload(source, y);
    }

    @Override
    public void upload(double[] source, Tensor y) {
        float[] rounded = new float[source.length];
        for (int i = 0; i < rounded.length; i++) rounded[i] = (float) source[i];
        upload(rounded, y);
    }

    @Override
    public void download(Tensor x, float[] target) {
        Checks.download(this, x, target.length);
        engine.requireEager("reading a tensor");
        engine.context().enter();
        indices.ask();
        staging.download(x, target);
        indices.check();
    }

    @Override
    public void download(Tensor x, double[] target) {
        float[] values = new float[target.length];
        download(x, values);
        for (int i = 0; i < values.length; i++) target[i] = values[i];
    }

    @Override
    public void synchronize() {
        engine.requireEager("waiting for the device");
        engine.context().enter();
        cuts.make();
        engine.sums().make();
        engine.side().join();
        indices.ask();
        engine.context().synchronize();
        indices.check();
    }

    /** Unless {@code -Dddpm.cuda.graph=false}, which leaves every call by itself. */
    @Override
    public Optional<Recording> record(Recording.Body body) {
        if (!graphs) return Optional.empty();
        engine.context().enter();
        return Optional.of(GraphRecording.record(engine, staging, indices, joins, cuts, body));
    }

    // ---- 2 pointwise, movement, chance ------------------------------------------------------------------------

    @Override
    public void fill(Tensor y, double value) {
        Checks.fill(this, y);
        engine.context().enter();
        written(y);
        movement.fill(y, value);
    }

    @Override
    public void copy(Region from, Region to) {
        Checks.copy(this, from, to);
        engine.context().enter();
        written(to.tensor());
        movement.copy(from, to);
    }

    @Override
    public void copy(Region[] from, Region[] to) {
        Checks.copy(this, from, to);
        engine.context().enter();
        for (Region region : to) written(region.tensor());
        if (joins.putOff(from, to) || joins.give(from, to) || cuts.putOff(from, to)) return;
        for (Region region : from) region.tensor().buffer().block();
        movement.copy(from, to);
    }

    @Override
    public void cast(Tensor x, Tensor y) {
        Checks.cast(this, x, y);
        engine.context().enter();
        written(y);
        movement.cast(x, y);
    }

    @Override
    public void unary(UnaryOp f, Tensor x, Tensor y) {
        Checks.unary(this, f, x, y);
        engine.context().enter();
        written(y);
        movement.unary(f, x, y);
    }

    @Override
    public void binary(BinaryOp f, Tensor a, Tensor b, Tensor y) {
        Checks.binary(this, f, a, b, y);
        engine.context().enter();
        written(y);
        movement.binary(f, a, b, y);
    }

    @Override
    public void reduce(ReduceOp f, Tensor x, Tensor y) {
        Checks.reduce(this, f, x, y);
        engine.context().enter();
        written(y);
        reductions.reduce(f, x, x.shape(), y, y.shape());
    }

    @Override
    public void random(Distribution distribution, long seed, long offset, Tensor y) {
        Checks.random(this, offset, y);
        engine.context().enter();
        written(y);
        movement.random(distribution, seed, offset, y);
    }

    @Override
    public void dropout(Mask mask, Tensor x, Tensor y) {
        Checks.dropout(this, x, y);
        engine.context().enter();
        written(y);
        movement.dropout(mask, x, y);
    }

    @Override
    public void gather(Tensor table, Tensor index, Tensor y) {
        Checks.gather(this, table, index, y);
        engine.context().enter();
        written(y);
        indices.gather(table, index, y);
    }

    @Override
    public void scatterAdd(Tensor index, Tensor dy, Tensor dtable) {
        Checks.scatterAdd(this, index, dy, dtable);
        engine.context().enter();
        written(dtable);
        indices.scatterAdd(index, dy, dtable);
    }

    // ---- 3 linear algebra -------------------------------------------------------------------------------------

    @Override
    public void matmul(boolean ta, boolean tb, Tensor a, Tensor b, Tensor bias, Tensor y) {
        Checks.matmul(this, ta, tb, a, b, bias, y);
        engine.context().enter();
        written(y);
        boolean linear = bias != null && !ta && tb && b.shape().rank() == 2;
        if (linear) convolutions.linear(a, b, bias, y);
        else products.matmul(ta, tb, a, b, bias, y);
    }

    @Override
    public void conv2d(Conv2dParams p, Tensor x, Tensor w, Tensor bias, Tensor z, Tensor y) {
        Checks.conv2d(this, p, x, w, bias, z, y);
        engine.context().enter();
        written(y);
        convolutions.forward(p, x, w, bias, z, y);
    }

    @Override
    public void conv2dBackwardData(Conv2dParams p, Tensor w, Tensor dy, Tensor dx) {
        Checks.conv2dBackwardData(this, p, w, dy, dx);
        engine.context().enter();
        written(dx);
        convolutions.data(p, w, dy, dx);
    }

    @Override
    public void conv2dBackwardWeights(Conv2dParams p, Tensor x, Tensor dy, Tensor dw, Tensor dbias) {
        Checks.conv2dBackwardWeights(this, p, x, dy, dw, dbias);
        engine.context().enter();
        written(dw, dbias);
        convolutions.weights(p, x, dy, dw, dbias);
    }

    /**
     * The algorithm that the first call of a convolution with these shapes has chosen, so that a benchmark can set cuDNN's
     * own call by the same one beside ours; {@code null} where there was no such call or it is not this call of cuDNN's that
     * computes it.
     */
    public ConvolutionAlgorithm algorithm(
            ConvolutionAlgorithm.Direction direction, Conv2dParams p, Tensor x, Tensor w, Tensor y) {
        return convolutions.algorithm(direction, p, x, w, y);
    }

    /** For {@link NormTrials}. */
    Norms norms() {
        return norms;
    }

    // ---- 4 normalisation, softmax, attention ------------------------------------------------------------------

    @Override
    public void groupNorm(NormParams p, Mask mask, NormInputs in, Tensor y, Tensor mean, Tensor rstd) {
        Checks.groupNorm(this, p, in, y, mean, rstd);
        engine.context().enter();
        written(y, mean, rstd);
        norms.forward(p, mask, in, y, mean, rstd);
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
        engine.context().enter();
        written(d.tensors().toArray(Tensor[]::new));
        norms.backward(p, mask, in, mean, rstd, dy, before, d);
    }

    @Override
    public void softmax(int axis, Tensor x, Tensor y) {
        Checks.softmax(this, axis, x, y);
        engine.context().enter();
        written(y);
        softmaxes.forward(axis, x, y);
    }

    @Override
    public void softmaxBackward(int axis, Tensor y, Tensor dy, Tensor dx) {
        Checks.softmaxBackward(this, axis, y, dy, dx);
        engine.context().enter();
        written(dx);
        softmaxes.backward(axis, y, dy, dx);
    }

    @Override
    public void attention(AttentionParams p, Tensor qkv, Tensor y, Tensor logSum) {
        Checks.attention(this, p, qkv, y, logSum);
        engine.context().enter();
        written(y, logSum);
        attentions.forward(p, qkv, y, logSum);
    }

    @Override
    public void attentionBackward(AttentionParams p, Tensor qkv, Tensor y, Tensor logSum, Tensor dy, Tensor dqkv) {
        Checks.attentionBackward(this, p, qkv, y, logSum, dy, dqkv);
        engine.context().enter();
        written(dqkv);
        attentions.backward(p, qkv, y, logSum, dy, dqkv);
    }

    @Override
    public void linearAttention(AttentionParams p, Tensor x, Tensor w, Tensor y, Tensor context, Tensor logSum) {
        Checks.linearAttention(this, p, x, w, y, context, logSum);
        engine.context().enter();
        written(y, context, logSum);
        try (Scope scope = Scope.open("projection")) {
            linearAttentions.forward(p, w == null ? x : Projection.forward(this, x, w), y, context, logSum);
        }
    }

    @Override
    public void linearAttentionBackward(
            AttentionParams p, Tensor x, Tensor w, Tensor context, Tensor logSum, Tensor dy, Tensor dx, Tensor dw) {
        Checks.linearAttentionBackward(this, p, x, w, context, logSum, dy, dx, dw);
        engine.context().enter();
        written(dx, dw);
        try (Scope scope = Scope.open("projection")) {
            Tensor qkv = w == null ? x : Projection.forward(this, x, w);
            Tensor dqkv = w == null ? dx : qkv.emptyLike();
            linearAttentions.backward(p, qkv, context, logSum, dy, dqkv);
            if (w != null) Projection.backward(this, x, w, dqkv, dx, dw);
        }
    }

    // ---- 5 updates --------------------------------------------------------------------------------------------

    @Override
    public void cast(Tensor[] x, Tensor[] y) {
        Checks.cast(this, x, y);
        engine.context().enter();
        written(y);
        movement.cast(x, y);
    }

    @Override
    public void adam(AdamParams p, Tensor[] w, Tensor[] dw, Tensor[] m, Tensor[] v) {
        Checks.adam(this, w, dw, m, v);
        engine.context().enter();
        written(w);
        written(m);
        written(v);
        updates.adam(p, w, dw, m, v);
    }

    @Override
    public void exponentialAverage(double decay, Tensor[] average, Tensor[] w) {
        Checks.exponentialAverage(this, decay, average, w);
        engine.context().enter();
        written(average);
        updates.exponentialAverage(decay, average, w);
    }

    @Override
    public double sumOfSquares(Tensor[] x) {
        Checks.sumOfSquares(this, x);
        engine.context().enter();
        return updates.sumOfSquares(x);
    }

    /**
     * Gives everything back to the device.
     *
     * @throws IllegalStateException when tensors are still in use
     */
    @Override
    public void close() {
        engine.context().enter();
        engine.side().join();
        engine.context().synchronize();
        cuts.forget();
        updates.close();
        softmaxes.close();
        norms.close();
        convolutions.close();
        indices.close();
        products.close();
        dnn.close();
        staging.close();
        engine.close();
    }
}
