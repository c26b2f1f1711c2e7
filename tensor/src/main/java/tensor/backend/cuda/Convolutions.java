package tensor.backend.cuda;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import jcuda.Pointer;
import jcuda.jcudnn.cudnnMathType;
import tensor.DType;
import tensor.Tensor;
import tensor.backend.Conv2dParams;
import tensor.backend.Precision;
import tensor.backend.Region;
import tensor.backend.cuda.ConvolutionAlgorithm.Direction;
import tensor.memory.Buffer;
import tensor.memory.Scope;

/**
 * Convolutions by cuDNN, channels last. The first call with a shape searches for the fastest algorithm, unless an
 * earlier run has; later ones find it under their {@link Geometry}. Filters of 1x1 make {@link PointwiseConvolutions}, unless a
 * bias is to be added, which cuDNN does in the same call and cuBLAS does not, and that turns out to be faster. Few channels make
 * {@link NarrowConvolutions}, enlarged images {@link EnlargedConvolutions}, and {@link DepthwiseConvolutions} has kernels of its
 * own. Padding that differs on opposite sides, which cuDNN does not know, is made even: y then has rows and columns that nobody
 * wants, which with a stride are fewer than a border around x would be.
 *
 * <p>With a stride of 1, y of x and dx of dy are the same sum, but for the order of the taps and for which side of the
 * filters is which. cuDNN has kernels of their own for the two, and for some shapes good ones on one side only: 56 to 28
 * channels at 28x28 take 188 µs forward and 40 to 53 as a gradient. So both are tried, one of them with the filters turned round.
 *
 * <p>What is compared is what will run: the whole of a call, with what it takes to add a bias, timed as {@link RecordedTime} does.
 * Turning the filters does not count: all of a network are turned at once ({@link TurnedFilters}).
 */
final class Convolutions implements AutoCloseable {
    /** An algorithm may use this part of the device's memory beside its tensors … */
    private static final int PART = 16;
    /** … but no more bytes than these: the largest images of the presets, turned from one layout into the other. */
    private static final long MOST = 2L << 30;
    /** Where even these are not free, the device is full. */
    private static final long LEAST = 16L << 20;
    /** Values of y from which on a pass that adds a bias takes longer than to launch it. */
    private static final int LARGE = 1 << 20;

    private record Key(Direction direction, Geometry geometry) {}

    private final Engine engine;
    private final Dnn dnn;
    private final Movement movement;
    private final Reductions reductions;
    private final PointwiseConvolutions pointwise;
    private final DepthwiseConvolutions depthwise;
    private final NarrowConvolutions narrow;
    private final EnlargedConvolutions enlarged;
    private final BatchLastConvolutions batchLast;
    private final SearchFile file;
    private final long room;
    private final Map<Key, ConvolutionPlan> plans = new HashMap<>();
    /** What cuBLAS is the faster way to: filters of 1x1 with a bias, and gradients of filters. */
    private final Set<Key> byProducts = new HashSet<>();

    Convolutions(Engine engine, Dnn dnn, Products products, Movement movement, Reductions reductions) {
        this.engine = engine;
        this.dnn = dnn;
        this.movement = movement;
        this.reductions = reductions;
        pointwise = new PointwiseConvolutions(products);
        depthwise = new DepthwiseConvolutions(engine, reductions);
        narrow = new NarrowConvolutions(engine, products);
        enlarged = new EnlargedConvolutions(engine, this);
        batchLast = new BatchLastConvolutions(engine, products);
        room = Math.min(MOST, engine.context().memory() / PART);
        file = SearchFile.ofUser("convolutions", engine.context(), Dnn.version() + "-" + engine.precision());
    }

    /** {@link tensor.backend.Backend#conv2d}. */
    void forward(Conv2dParams p, Tensor x, Tensor w, Tensor bias, Tensor z, Tensor y) {
        if (p.enlarge() > 1) {
            enlarged.forward(p, x, w, bias, z, y);
            return;
        }
        Geometry g = Geometry.of(p, x, w, y);
        if (g.isProduct()) {
            product(g, x, w, bias, z, y);
            return;
        }
        x.buffer().block(); // in one place
        boolean added = false;
        if (DepthwiseConvolutions.serves(g)) {
            depthwise.forward(g, x, w, y);
        } else if (NarrowConvolutions.serves(Direction.FORWARD, g)) {
            narrow.forward(g, x, w, bias, z, y);
            added = true;
        } else if (g.evened(p).equals(g)) {
            added = run(Direction.FORWARD, g, x, w, bias, z, y);
        } else {
            try (Scope scope = Scope.open("padding")) {
                Geometry even = g.evened(p);
                Tensor larger = y.empty(even.output());
                if (run(Direction.FORWARD, even, x, w, bias, null, larger)) bias = null;
                movement.copy(wanted(p, larger, y), Region.of(y));
            }
        }
        if (!added) engine.addBias(y, bias, z);
    }

    /** y ← x wᵀ + bias for rows x [.., C] and w [K, C]. */
    void linear(Tensor x, Tensor w, Tensor bias, Tensor y) {
        product(Geometry.ofRows(x, w.shape().get(0)), x, w, bias, null, y);
    }

    private void product(Geometry g, Tensor x, Tensor w, Tensor bias, Tensor z, Tensor y) {
        boolean added = false;
        if (bias != null && addsBias(g, x, w, y)) added = run(Direction.FORWARD, g, x, w, bias, z, y);
        else pointwise.forward(g, x, w, y);
        if (!added) engine.addBias(y, bias, z);
    }

    /** Whether cuDNN is the faster way to a product with a bias; while calls are being recorded, whether it is known to be. */
    private boolean addsBias(Geometry g, Tensor x, Tensor w, Tensor y) {
        if (y.shape().size() < LARGE || Joins.of(x) != null) return false;
        Key key = new Key(Direction.FORWARD, g);
        if (engine.recording() != null) return plans.containsKey(key);
        try {
            return plan(key, x, w, y) != null;
        } catch (IllegalStateException | OutOfMemoryError e) {
            byProducts.add(key); // cuDNN refuses the search, or finds no room for it: nothing needs it here
            return false;
        }
    }

    /** {@link tensor.backend.Backend#conv2dBackwardData}. */
    void data(Conv2dParams p, Tensor w, Tensor dy, Tensor dx) {
        if (p.enlarge() > 1) {
            enlarged.data(p, w, dy, dx);
            return;
        }
        Geometry g = Geometry.of(p, dx, w, dy);
        if (g.isProduct()) {
            pointwise.data(g, w, dy, dx);
        } else if (DepthwiseConvolutions.serves(g)) {
            depthwise.data(g, w, dy, dx);
        } else if (NarrowConvolutions.serves(Direction.DATA, g)) {
            narrow.data(g, w, dy, dx);
        } else {
            gradient(Direction.DATA, g, p, dx, w, dy);
        }
    }

    /** {@link tensor.backend.Backend#conv2dBackwardWeights}. */
    void weights(Conv2dParams p, Tensor x, Tensor dy, Tensor dw, Tensor dbias) {
        Tensor missing = dbias != null && PixelSums.take(engine, dy, dbias) ? null : dbias;
        if (p.enlarge() > 1) {
            enlarged.weights(p, x, dy, dw, missing);
            return;
        }
        Geometry g = Geometry.of(p, x, dw, dy);
        if (!g.isProduct()) x.buffer().block();
        weights(
                isKnown(Direction.FILTER, g, p),
                () -> weights(g, p, x, dy, dw, missing),
                PointwiseConvolutions.reads(x, dy),
                dw,
                missing);
    }

    /**
     * Gradients of weights, aside unless something has to be searched for.
     *
     * @param known whether nothing has
     * @param calls make dw, and dbias unless it is {@code null}, of what they read
     */
    void weights(boolean known, Runnable calls, List<Buffer> reads, Tensor dw, Tensor dbias) {
        if (!known) calls.run();
        else if (dbias == null) engine.side().run(calls, reads, List.of(dw.buffer()));
        else engine.side().run(calls, reads, List.of(dw.buffer(), dbias.buffer()));
    }

    /** dbias, unless it is {@code null}, ← the sum of dy over all pixels. */
    void biases(Tensor dy, Tensor dbias) {
        if (dbias != null) reductions.sumColumnsLater(dy, dbias);
    }

    private boolean isKnown(Direction direction, Geometry g, Conv2dParams p) {
        return g.isProduct()
                || DepthwiseConvolutions.serves(g)
                || NarrowConvolutions.serves(direction, g)
                || isFound(direction, g.evened(p));
    }

    /** Whether {@link #run} has been searched for. */
    boolean isFound(Direction direction, Geometry g) {
        Key key = new Key(direction, g);
        return plans.containsKey(key) || byProducts.contains(key);
    }

    private void weights(Geometry g, Conv2dParams p, Tensor x, Tensor dy, Tensor dw, Tensor dbias) {
        if (g.isProduct()) {
            pointwise.weights(g, x, dy, dw);
        } else if (DepthwiseConvolutions.serves(g)) {
            depthwise.weights(g, x, dy, dw);
        } else if (NarrowConvolutions.serves(Direction.FILTER, g)) {
            if (narrow.weights(g, x, dy, dw, dbias)) return;
        } else {
            gradient(Direction.FILTER, g, p, x, dw, dy);
        }
        biases(dy, dbias);
    }

    /** {@link CudaBackend#algorithm}. */
    ConvolutionAlgorithm algorithm(Direction direction, Conv2dParams p, Tensor x, Tensor w, Tensor y) {
        ConvolutionPlan plan = plans.get(new Key(direction, Geometry.of(p, x, w, y)));
        return plan == null || plan.isTurned() ? null : plan.algorithm();
    }

    /** The part of y of an evened convolution that is y. */
    private static Region wanted(Conv2dParams p, Tensor larger, Tensor y) {
        return Region.of(larger)
                .slice(1, Geometry.skippedRows(p), y.shape().get(1))
                .slice(2, Geometry.skippedColumns(p), y.shape().get(2));
    }

    /** The one of x and w that the direction names, from dy, which gets zeros where nothing is wanted of y. */
    private void gradient(Direction direction, Geometry g, Conv2dParams p, Tensor x, Tensor w, Tensor dy) {
        Geometry even = g.evened(p);
        if (even.equals(g)) {
            run(direction, g, x, w, null, null, dy);
            return;
        }
        try (Scope scope = Scope.open("padding")) {
            Tensor larger = dy.empty(even.output());
            movement.fill(larger, 0);
            movement.copy(Region.of(dy), wanted(p, larger, dy));
            run(direction, even, x, w, null, null, larger);
        }
    }

    /** Computes the one of x, w, y that the direction names; whether bias and z, which may be {@code null}, are added to y already. */
    boolean run(Direction direction, Geometry g, Tensor x, Tensor w, Tensor bias, Tensor z, Tensor y) {
        ConvolutionPlan plan = plan(new Key(direction, g), x, w, y);
        if (plan == null) {
            batchLast.weights(g, x, y, w);
            return false;
        }
        long bytes = plan.workspace();
        Buffer workspace = bytes == 0 ? null : engine.scratch(bytes);
        Pointer room = workspace == null ? new Pointer() : new Device(workspace.address());
        boolean added = false;
        if (plan.isTurned()) {
            Pointer filters = new Device(engine.turned().of(g, w).address());
            plan.run(Engine.pointer(y), filters, Engine.pointer(x), room);
        } else {
            Pointer xs = Engine.pointer(x);
            Pointer ws = Engine.pointer(w);
            Pointer ys = Engine.pointer(y);
            added = bias != null && plan.addsBias();
            if (added) plan.run(xs, ws, Engine.pointer(bias), z == null ? null : Engine.pointer(z), ys, room);
            else plan.run(xs, ws, ys, room);
        }
        if (workspace != null) workspace.release();
        return added;
    }

    private int math(DType dtype) {
        if (dtype == DType.BF16) return cudnnMathType.CUDNN_TENSOR_OP_MATH;
        return engine.precision() == Precision.FP32
                ? cudnnMathType.CUDNN_FMA_MATH // no tensor cores
                : cudnnMathType.CUDNN_DEFAULT_MATH; // TF32
    }

    private ConvolutionPlan plan(Key key, boolean turned) {
        Geometry g = turned ? key.geometry.backwards() : key.geometry;
        Direction direction = turned ? key.direction.opposite() : key.direction;
        return new ConvolutionPlan(engine, dnn, direction, g, math(g.dtype()), turned);
    }

    /** How cuDNN computes this; {@code null} where cuBLAS is faster. Found out once. */
    private ConvolutionPlan plan(Key key, Tensor x, Tensor w, Tensor y) {
        ConvolutionPlan plan = plans.get(key);
        if (plan != null || byProducts.contains(key)) return plan;
        plan = find(key, x, w, y);
        if (plan == null) byProducts.add(key);
        else plans.put(key, plan);
        return plan;
    }

    private ConvolutionPlan find(Key key, Tensor x, Tensor w, Tensor y) {
        engine.requireEager("the first convolution of a shape");
        engine.side().join(); // nothing else is to run while calls are timed
        String name = key.direction + "-" + key.geometry.key();
        ConvolutionAlgorithm known = ConvolutionAlgorithm.of(file.get(name));
        if (ConvolutionAlgorithm.PRODUCT.equals(known) && canBeProduct(key, room)) return null;
        if (known != null) {
            ConvolutionPlan plan = plan(key, known.turned());
            if (plan.accept(known)) return plan;
            plan.close();
        }
        ConvolutionPlan found = search(key, name, x, w, y);
        file.put(name, (found == null ? ConvolutionAlgorithm.PRODUCT : found.algorithm()).words());
        return found;
    }

    /** Whether cuBLAS can do this call, in so many bytes beside the tensors. */
    private boolean canBeProduct(Key key, long bytes) {
        return switch (key.direction) {
            case FORWARD -> key.geometry.isProduct();
            case DATA -> false;
            case FILTER -> batchLast.serves(key.geometry, bytes);
        };
    }

    /** Searches with as much room as there is, which the device has back afterwards: the arena would keep it for good. */
    private ConvolutionPlan search(Key key, String name, Tensor x, Tensor w, Tensor y) {
        for (long bytes = room; ; bytes /= 2)
            try {
                return search(key, name, x, w, y, bytes);
            } catch (OutOfMemoryError e) { // also, where what it took left none for the graphs that are timed
                if (bytes / 2 < LEAST) throw full(bytes, e);
            }
    }

    private ConvolutionPlan search(Key key, String name, Tensor x, Tensor w, Tensor y, long bytes) {
        long workspace = engine.lending().allocate(bytes);
        try {
            return search(key, name, x, w, y, new Device(workspace), bytes);
        } finally {
            engine.lending().free(workspace, bytes);
        }
    }

    private static OutOfMemoryError full(long bytes, OutOfMemoryError cause) {
        OutOfMemoryError error = new OutOfMemoryError("the search for a convolution's algorithm asked for "
                + (bytes >> 20) + " MiB, and " + cause.getMessage() + ": use a smaller batch or model");
        error.initCause(cause);
        return error;
    }

    private ConvolutionPlan search(Key key, String name, Tensor x, Tensor w, Tensor y, Pointer workspace, long bytes) {
        List<ConvolutionPlan> tried = new ArrayList<>();
        ConvolutionPlan found = null;
        try {
            found = fastest(tried, key, name, x, w, y, workspace, bytes);
            return found;
        } finally {
            for (ConvolutionPlan plan : tried) if (plan != found) plan.close();
        }
    }

    /** Notes the plans that it makes. */
    private ConvolutionPlan fastest(
            List<ConvolutionPlan> tried,
            Key key,
            String name,
            Tensor x,
            Tensor w,
            Tensor y,
            Pointer workspace,
            long bytes) {
        Pointer xs = Engine.pointer(x);
        Pointer ws = Engine.pointer(w);
        Pointer ys = Engine.pointer(y);
        ConvolutionPlan plan = plan(key, false);
        tried.add(plan);
        float time = plan.search(xs, ws, ys, workspace, bytes);
        boolean forward = key.direction == Direction.FORWARD;
        float adding = forward ? milliseconds(() -> engine.addBias(y, null, y)) : 0;
        if (forward && time < Float.POSITIVE_INFINITY) {
            Buffer bias = engine.scratch((long) key.geometry.k() * w.dtype().bytes());
            try {
                time = plan.withBias(time, adding, xs, ws, new Device(bias.address()), ys, workspace);
            } finally {
                bias.release();
            }
        }
        if (forward && key.geometry.isProduct()) {
            if (plan.addsBias() && time < milliseconds(() -> pointwise.forward(key.geometry, x, w, y)) + adding)
                return plan;
            return null;
        }
        if (key.direction == Direction.FILTER
                && canBeProduct(key, bytes)
                && milliseconds(() -> batchLast.weights(key.geometry, x, y, w)) < time) return null;
        if (key.direction != Direction.FILTER && key.geometry.isTurnable()) {
            Pointer filters = new Device(engine.turned().of(key.geometry, w).address());
            ConvolutionPlan other = plan(key, true);
            tried.add(other);
            float otherTime = other.search(ys, filters, xs, workspace, bytes) + adding;
            if (otherTime < time) plan = other;
            else engine.turned().forget(w);
            time = Math.min(time, otherTime);
        }
        if (time == Float.POSITIVE_INFINITY)
            throw new IllegalStateException("cuDNN " + Dnn.version() + " has no deterministic algorithm within "
                    + (bytes >> 20) + " MiB for " + name);
        return plan;
    }

    private float milliseconds(Runnable call) {
        return RecordedTime.of(engine.context(), call);
    }

    @Override
    public void close() {
        plans.values().forEach(ConvolutionPlan::close);
    }
}
