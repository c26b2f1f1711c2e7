package tensor;

import java.util.Arrays;
import tensor.backend.Backend;
import tensor.backend.BinaryOp;
import tensor.backend.ReduceOp;
import tensor.backend.Region;
import tensor.backend.UnaryOp;
import tensor.memory.Buffer;
import tensor.memory.Scope;

/**
 * An array: shape, element type and memory on a backend. Contiguous, row-major, images channels last. {@link #reshape}
 * is the only view. A tensor knows nothing of gradients.
 *
 * <p>Every tensor belongs to the {@link Scope} that was innermost when it was made and is released with it. Methods
 * that compute return a new tensor; those with a name ending in {@code _} write into this one.
 */
public final class Tensor {
    private final Shape shape;
    private final DType dtype;
    private final Backend backend;
    private final Buffer buffer;

    private Tensor(Shape shape, DType dtype, Backend backend, Buffer buffer) {
        this.shape = shape;
        this.dtype = dtype;
        this.backend = backend;
        this.buffer = buffer;
        Scope.innermost().own(buffer);
    }

    // ---- making ----------------------------------------------------------------------------------------------

    /** An array with undefined contents. */
    public static Tensor empty(Backend backend, DType dtype, Shape shape) {
        if (!backend.supports(dtype))
            throw new IllegalArgumentException("backend " + backend.name() + " has no " + dtype + " tensors");
        Scope.innermost();
        return new Tensor(shape, dtype, backend, backend.allocate(dtype, shape.size()));
    }

    /** An array filled with one value. */
    public static Tensor full(Backend backend, DType dtype, Shape shape, double value) {
        Tensor y = empty(backend, dtype, shape);
        backend.fill(y, value);
        return y;
    }

    /** An {@link DType#F32} array with these values, row-major. */
    public static Tensor of(Backend backend, Shape shape, float... values) {
        Tensor y = empty(backend, DType.F32, shape);
        backend.upload(values, y);
        return y;
    }

    /** An array with these values, rounded to {@code dtype}. */
    public static Tensor of(Backend backend, DType dtype, Shape shape, double... values) {
        Tensor y = empty(backend, dtype, shape);
        backend.upload(values, y);
        return y;
    }

    /** Another shape, same backend and type, undefined contents. */
    public Tensor empty(Shape other) {
        return empty(backend, dtype, other);
    }

    /** Another shape, same backend, the type for {@linkplain DType#exact() exact} values, undefined contents. */
    public Tensor emptyExact(Shape other) {
        return empty(backend, dtype.exact(), other);
    }

    /** Same shape, backend and type, undefined contents. */
    public Tensor emptyLike() {
        return empty(shape);
    }

    /** Same shape, backend and type, one value everywhere. */
    public Tensor fullLike(double value) {
        return full(backend, dtype, shape, value);
    }

    /** A rank-0 array on the same backend. */
    public Tensor scalar(double value) {
        return full(backend, dtype, Shape.SCALAR, value);
    }

    // ---- asking ----------------------------------------------------------------------------------------------

    public Shape shape() {
        return shape;
    }

    public DType dtype() {
        return dtype;
    }

    public Backend backend() {
        return backend;
    }

    /** The memory; for backends and the tape. */
    public Buffer buffer() {
        return buffer;
    }

    /** The one element of an array of size 1; waits for the device. */
    public double item() {
        if (shape.size() != 1) throw new IllegalStateException("item() needs one element, this has shape " + shape);
        return toDoubles()[0];
    }

    /** A copy of the elements, row-major; waits for the device. */
    public float[] toFloats() {
        float[] values = new float[shape.size()];
        backend.download(this, values);
        return values;
    }

    /** A copy of the elements, row-major; waits for the device. */
    public double[] toDoubles() {
        double[] values = new double[shape.size()];
        backend.download(this, values);
        return values;
    }

    // ---- computing -------------------------------------------------------------------------------------------

    /** The same memory with another shape of the same size; one extent may be −1 and is worked out. */
    public Tensor reshape(int... extents) {
        return reshape(shape.resolve(extents));
    }

    /** The same memory with another shape of the same size. */
    public Tensor reshape(Shape target) {
        if (target.size() != shape.size())
            throw new IllegalArgumentException("cannot reshape " + shape + " to " + target);
        Scope.innermost();
        return new Tensor(target, dtype, backend, buffer.retain());
    }

    /** The same values in another type, rounded to it. */
    public Tensor cast(DType type) {
        Tensor y = empty(backend, type, shape);
        backend.cast(this, y);
        return y;
    }

    /** f of every element. */
    public Tensor map(UnaryOp f) {
        Tensor y = emptyLike();
        backend.unary(f, this, y);
        return y;
    }

    /** f of this and {@code other}, broadcast. */
    public Tensor map(BinaryOp f, Tensor other) {
        Tensor y = empty(shape.broadcast(other.shape));
        backend.binary(f, this, other, y);
        return y;
    }

    public Tensor add(Tensor other) {
        return map(BinaryOp.ADD, other);
    }

    public Tensor sub(Tensor other) {
        return map(BinaryOp.SUB, other);
    }

    public Tensor mul(Tensor other) {
        return map(BinaryOp.MUL, other);
    }

    public Tensor div(Tensor other) {
        return map(BinaryOp.DIV, other);
    }

    public Tensor add(double other) {
        return add(scalar(other));
    }

    public Tensor mul(double other) {
        return mul(scalar(other));
    }

    /** Every element limited to [low, high]. */
    public Tensor clamp(double low, double high) {
        return map(BinaryOp.MAX, scalar(low)).map(BinaryOp.MIN, scalar(high));
    }

    /** f over every axis on which {@code target}, of the same rank, has extent 1. */
    public Tensor reduce(ReduceOp f, Shape target) {
        Tensor y = empty(target);
        backend.reduce(f, this, y);
        return y;
    }

    /** The sum of all elements, rank 0. */
    public Tensor sum() {
        int[] ones = new int[shape.rank()];
        Arrays.fill(ones, 1);
        return reduce(ReduceOp.SUM, Shape.of(ones)).reshape(Shape.SCALAR);
    }

    /** Undoes broadcasting: sums over the axes along which {@code target} was stretched to this shape. */
    public Tensor sumTo(Shape target) {
        if (target.equals(shape)) return this;
        if (!target.broadcastsTo(shape)) throw new IllegalArgumentException("cannot sum " + shape + " to " + target);
        Shape padded = target.padTo(shape.rank());
        return (padded.equals(shape) ? this : reduce(ReduceOp.SUM, padded)).reshape(target);
    }

    /** this ← this + other, in place. */
    public Tensor add_(Tensor other) {
        backend.binary(BinaryOp.ADD, this, other, this);
        return this;
    }

    /** this ← this · factor, in place. */
    public Tensor mul_(double factor) {
        backend.binary(BinaryOp.MUL, this, scalar(factor), this);
        return this;
    }

    /** this ← source, of the same shape. */
    public Tensor set_(Tensor source) {
        source.shape.expect(shape.toArray());
        backend.copy(Region.of(source), Region.of(this));
        return this;
    }

    @Override
    public String toString() {
        return dtype + shape.toString() + "@" + backend.name();
    }
}
