package tensor.backend.cuda;

import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;
import jcuda.Pointer;
import jcuda.jcudnn.cudnnMathType;
import nativelib.LibraryCache;
import tensor.DType;
import tensor.Shape;
import tensor.Tensor;
import tensor.backend.Conv2dParams;
import tensor.backend.Precision;
import tensor.backend.ReduceOp;
import tensor.backend.Region;
import tensor.backend.cuda.ConvolutionAlgorithm.Direction;
import tensor.memory.Buffer;
import tensor.memory.Scope;

/**
 * Convolutions by cuDNN, channels last. The first call with a shape searches for the fastest algorithm, unless an
 * earlier run has; later ones find it under their {@link Geometry}. A 1x1 convolution is a product, and
 * {@link DepthwiseConvolutions} has kernels of its own. Padding that differs on opposite sides, which cuDNN does not know,
 * is made by copying the image into one with a border of zeros.
 */
final class Convolutions implements AutoCloseable {
    /** An algorithm may use this part of the device's memory beside its tensors … */
    private static final int PART = 16;
    /** … but no more bytes than these: the largest images of the presets, turned from one layout into the other. */
    private static final long MOST = 2L << 30;
    /** Where even these are not free, the device is full. */
    private static final long LEAST = 16L << 20;

    private record Key(Direction direction, Geometry geometry) {}

    private final Engine engine;
    private final Dnn dnn;
    private final Products products;
    private final Movement movement;
    private final Reductions reductions;
    private final DepthwiseConvolutions depthwise;
    private final AlgorithmFile file;
    private final long room;
    private final Map<Key, ConvolutionPlan> plans = new HashMap<>();

    Convolutions(Engine engine, Dnn dnn, Products products, Movement movement, Reductions reductions) {
        this.engine = engine;
        this.dnn = dnn;
        this.products = products;
        this.movement = movement;
        this.reductions = reductions;
        depthwise = new DepthwiseConvolutions(engine, reductions);
        room = Math.min(MOST, engine.context().memory() / PART);
        Path folder = LibraryCache.ofUser().root().resolveSibling("cuda");
        file = new AlgorithmFile(folder, engine.context().name(), Dnn.version() + "-" + engine.precision());
    }

    /** {@link tensor.backend.Backend#conv2d}. */
    void forward(Conv2dParams p, Tensor x, Tensor w, Tensor bias, Tensor y) {
        Geometry g = Geometry.of(p, x, w, y);
        if (g.isProduct()) {
            products.multiply(false, true, g.pixels(), g.k(), g.c(), g.image(x), g.filters(w), g.result(y), 1);
        } else if (DepthwiseConvolutions.serves(g)) {
            depthwise.forward(g, x, w, y);
        } else if (isEven(p)) {
            run(Direction.FORWARD, g, x, w, y);
        } else {
            try (Scope scope = Scope.open("padding")) {
                run(Direction.FORWARD, g.bordered(p), bordered(p, x), w, y);
            }
        }
        engine.addBias(y, bias);
    }

    /** {@link tensor.backend.Backend#conv2dBackwardData}. */
    void data(Conv2dParams p, Tensor w, Tensor dy, Tensor dx) {
        Geometry g = Geometry.of(p, dx, w, dy);
        if (g.isProduct()) {
            products.multiply(false, false, g.pixels(), g.c(), g.k(), g.result(dy), g.filters(w), g.image(dx), 1);
        } else if (DepthwiseConvolutions.serves(g)) {
            depthwise.data(g, w, dy, dx);
        } else if (isEven(p)) {
            run(Direction.DATA, g, dx, w, dy);
        } else {
            try (Scope scope = Scope.open("padding")) {
                Tensor larger = dx.empty(withBorder(p, dx.shape()));
                run(Direction.DATA, g.bordered(p), larger, w, dy);
                movement.copy(inside(p, larger, dx.shape()), Region.of(dx));
            }
        }
    }

    /** {@link tensor.backend.Backend#conv2dBackwardWeights}. */
    void weights(Conv2dParams p, Tensor x, Tensor dy, Tensor dw, Tensor dbias) {
        Geometry g = Geometry.of(p, x, dw, dy);
        if (g.isProduct()) {
            products.multiply(true, false, g.k(), g.c(), g.pixels(), g.result(dy), g.image(x), g.filters(dw), 1);
        } else if (DepthwiseConvolutions.serves(g)) {
            depthwise.weights(g, x, dy, dw);
        } else if (isEven(p)) {
            run(Direction.FILTER, g, x, dw, dy);
        } else {
            try (Scope scope = Scope.open("padding")) {
                run(Direction.FILTER, g.bordered(p), bordered(p, x), dw, dy);
            }
        }
        if (dbias != null) reductions.reduce(ReduceOp.SUM, dy, dy.shape(), dbias, Shape.of(1, 1, 1, g.k()));
    }

    /** {@link CudaBackend#algorithm}. */
    ConvolutionAlgorithm algorithm(Direction direction, Conv2dParams p, Tensor x, Tensor w, Tensor y) {
        ConvolutionPlan plan = plans.get(new Key(direction, Geometry.of(p, x, w, y)));
        return plan == null ? null : plan.algorithm();
    }

    private static boolean isEven(Conv2dParams p) {
        return p.top() == p.bottom() && p.left() == p.right();
    }

    private static Shape withBorder(Conv2dParams p, Shape x) {
        return Shape.of(x.get(0), x.get(1) + p.top() + p.bottom(), x.get(2) + p.left() + p.right(), x.get(3));
    }

    /** The part of an image with a border that is not border. */
    private static Region inside(Conv2dParams p, Tensor larger, Shape x) {
        return Region.of(larger).slice(1, p.top(), x.get(1)).slice(2, p.left(), x.get(2));
    }

    private Tensor bordered(Conv2dParams p, Tensor x) {
        Tensor larger = x.empty(withBorder(p, x.shape()));
        movement.fill(larger, 0);
        movement.copy(Region.of(x), inside(p, larger, x.shape()));
        return larger;
    }

    private void run(Direction direction, Geometry g, Tensor x, Tensor w, Tensor y) {
        Key key = new Key(direction, g);
        ConvolutionPlan plan = plans.get(key);
        if (plan == null) {
            plan = plan(key, x, w, y);
            plans.put(key, plan);
        }
        long bytes = plan.workspace();
        Buffer workspace = bytes == 0 ? null : engine.scratch(bytes);
        plan.run(
                Engine.pointer(x),
                Engine.pointer(w),
                Engine.pointer(y),
                workspace == null ? new Pointer() : new Device(workspace.address()));
        if (workspace != null) workspace.release();
    }

    private int math(DType dtype) {
        if (dtype == DType.BF16) return cudnnMathType.CUDNN_TENSOR_OP_MATH;
        return engine.precision() == Precision.FP32
                ? cudnnMathType.CUDNN_FMA_MATH // no tensor cores
                : cudnnMathType.CUDNN_DEFAULT_MATH; // TF32
    }

    private ConvolutionPlan plan(Key key, Tensor x, Tensor w, Tensor y) {
        engine.requireEager("the first convolution of a shape");
        ConvolutionPlan plan =
                new ConvolutionPlan(engine, dnn, key.direction, key.geometry, math(key.geometry.dtype()));
        String name = key.direction + "-" + key.geometry.key();
        ConvolutionAlgorithm known = file.get(name);
        if (known != null && plan.accept(known)) return plan;
        search(plan, name, x, w, y);
        return plan;
    }

    /** Searches with as much room as there is, which the device has back afterwards: the arena would keep it for good. */
    private void search(ConvolutionPlan plan, String name, Tensor x, Tensor w, Tensor y) {
        long bytes = room;
        long workspace = 0;
        while (workspace == 0)
            try {
                workspace = engine.context().allocate(bytes);
            } catch (OutOfMemoryError e) {
                engine.arena().trim();
                bytes /= 2;
                if (bytes < LEAST) throw e;
            }
        try {
            file.put(
                    name,
                    plan.search(
                            Engine.pointer(x),
                            Engine.pointer(w),
                            Engine.pointer(y),
                            new Device(workspace),
                            bytes,
                            name));
        } finally {
            engine.context().free(workspace, bytes);
        }
    }

    @Override
    public void close() {
        plans.values().forEach(ConvolutionPlan::close);
    }
}
