package tensor.backend;

import java.util.Arrays;
import tensor.DType;
import tensor.Shape;
import tensor.Tensor;

/**
 * What every backend asks of the arguments of a call before it computes: one method for each call of {@link Backend},
 * with its arguments and the backend in front. Every tensor must be there, live, on this backend and of one dtype; the
 * shapes must be those of the call's formula; an output that is not pointwise must not share memory with an input.
 *
 * <p>A violation is one sentence with both shapes in an {@link IllegalArgumentException}; memory that was released
 * throws {@link IllegalStateException}. After these checks native code may trust its arguments.
 */
public final class Checks {
    private Checks() {}

    // ---- 1 memory ---------------------------------------------------------------------------------------------

    /** Checks {@link Backend#allocate}. */
    public static void allocate(Backend on, DType dtype, long elements) {
        if (!on.supports(dtype)) throw new IllegalArgumentException("backend " + on.name() + " has no " + dtype);
        if (elements < 1 || elements > Shape.MAX_SIZE)
            throw new IllegalArgumentException("allocate: " + elements + " elements, needs 1 to " + Shape.MAX_SIZE);
    }

    /** Checks {@link Backend#upload} of {@code length} values. */
    public static void upload(Backend on, int length, Tensor y) {
        transfer(Call.of("upload", on, y).operand("y", y), length, y);
    }

    /** Checks {@link Backend#download} to an array of {@code length}. */
    public static void download(Backend on, Tensor x, int length) {
        transfer(Call.of("download", on, x).operand("x", x), length, x);
    }

    private static void transfer(Call call, int length, Tensor t) {
        if (length != t.shape().size())
            throw call.wrong("the array has " + length + " values, the tensor " + t.shape() + " has "
                    + t.shape().size());
    }

    // ---- 2 pointwise, movement, chance ------------------------------------------------------------------------

    /** Checks {@link Backend#fill}. */
    public static void fill(Backend on, Tensor y) {
        Call.of("fill", on, y).operand("y", y);
    }

    /** Checks {@link Backend#copy(Region, Region)}. */
    public static void copy(Backend on, Region from, Region to) {
        copyUnasked(on, from, to);
        from.tensor().buffer().block();
    }

    private static void copyUnasked(Backend on, Region from, Region to) {
        Call call = Call.of("copy", on, from.tensor())
                .unasked("from", from.tensor())
                .operand("to", to.tensor())
                .apart("to", to.tensor(), from.tensor());
        if (!Arrays.equals(from.sizes(), to.sizes()))
            throw call.wrong(
                    "from is a box of " + Arrays.toString(from.sizes()) + ", to one of " + Arrays.toString(to.sizes()));
        for (int i = 0; i < to.sizes().length; i++)
            if (to.strides()[i] == 0 && to.sizes()[i] > 1)
                throw call.wrong("axis " + i + " of to is a repetition; only from may repeat");
    }

    /** Checks {@link Backend#copy(Region[], Region[])}; what is copied may stay put off. */
    public static void copy(Backend on, Region[] from, Region[] to) {
        if (from.length != to.length)
            throw new IllegalArgumentException("copy: " + from.length + " regions to " + to.length + "; needs as many");
        for (int i = 0; i < from.length; i++) copyUnasked(on, from[i], to[i]);
    }

    /** Checks {@link Backend#cast(Tensor, Tensor)}. */
    public static void cast(Backend on, Tensor x, Tensor y) {
        Call call = Call.of("cast", on, x).operand("x", x);
        Call.of("cast", on, y).operand("y", y, "the shape of x", x.shape());
        call.apart("y", y, x);
    }

    /** Checks {@link Backend#unary}. */
    public static void unary(Backend on, UnaryOp f, Tensor x, Tensor y) {
        Call.of(f.name(), on, x).operand("x", x).operand("y", y, "the shape of x", x.shape());
    }

    /** Checks {@link Backend#binary}. */
    public static void binary(Backend on, BinaryOp f, Tensor a, Tensor b, Tensor y) {
        Call call = Call.of(f.name(), on, a).operand("a", a).operand("b", b).operand("y", y);
        if (!a.shape().broadcastsTo(y.shape()) || !b.shape().broadcastsTo(y.shape()))
            throw call.wrong("cannot broadcast a " + a.shape() + " and b " + b.shape() + " to y " + y.shape());
    }

    /** Checks {@link Backend#reduce}. */
    public static void reduce(Backend on, ReduceOp f, Tensor x, Tensor y) {
        Call call =
                Call.of("reduce " + f, on, x).operand("x", x).operand("y", y).apart("y", y, x);
        if (x.shape().rank() != y.shape().rank() || !y.shape().broadcastsTo(x.shape()))
            throw call.wrong("y has shape " + y.shape() + ", needs that of x " + x.shape()
                    + " with extent 1 on the axes that vanish");
    }

    /** Checks {@link Backend#random}. */
    public static void random(Backend on, long offset, Tensor y) {
        Call call = Call.of("random", on, y).operand("y", y);
        if (offset < 0 || offset % 4 != 0)
            throw call.wrong("the stream position " + offset + " is not a multiple of 4, at least 0");
    }

    /** Checks {@link Backend#dropout}. */
    public static void dropout(Backend on, Tensor x, Tensor y) {
        Call.of("dropout", on, x).operand("x", x).operand("y", y, "the shape of x", x.shape());
    }

    /** Checks {@link Backend#gather}; the values of the index are checked with {@link #row}. */
    public static void gather(Backend on, Tensor table, Tensor index, Tensor y) {
        rows(Call.of("gather", on, table), "table", table, index, "y", y).apart("y", y, table, index);
    }

    /** Checks {@link Backend#scatterAdd}; the values of the index are checked with {@link #row}. */
    public static void scatterAdd(Backend on, Tensor index, Tensor dy, Tensor dtable) {
        rows(Call.of("scatterAdd", on, dy), "dtable", dtable, index, "dy", dy).apart("dtable", dtable, index, dy);
    }

    /** table [V, …], index [N], picked [N, …]. */
    private static Call rows(Call call, String tableRole, Tensor table, Tensor index, String role, Tensor picked) {
        call.operand(tableRole, table).exact("index", index, "[N]", -1);
        if (table.shape().rank() < 1) throw call.wrong(tableRole + " is a scalar, needs [V, …]");
        return call.operand(
                role, picked, "[N, …]", table.shape().with(0, index.shape().get(0)));
    }

    /** The row that {@code index[i] = value} names in a table of {@code rows}. */
    public static int row(String call, int i, double value, int rows) {
        int row = (int) value;
        if (row != value || row < 0 || row >= rows)
            throw new IllegalArgumentException(call + ": index[" + i + "] = " + value + ", needs a whole number in 0.."
                    + (rows - 1) + ", for the table has " + rows + " rows");
        return row;
    }

    // ---- 3 linear algebra -------------------------------------------------------------------------------------

    /** Checks {@link Backend#matmul}. */
    public static void matmul(Backend on, boolean ta, boolean tb, Tensor a, Tensor b, Tensor bias, Tensor y) {
        Call call = Call.of("matmul", on, a).operand("a", a).operand("b", b);
        Shape as = a.shape();
        Shape bs = b.shape();
        if (as.rank() < 2 || bs.rank() < 2)
            throw call.wrong("factors a " + as + " and b " + bs + " need at least two axes each");
        int m = as.get(ta ? -1 : -2);
        int inner = as.get(ta ? -2 : -1);
        int n = bs.get(tb ? -2 : -1);
        if (inner != bs.get(tb ? -1 : -2))
            throw call.wrong("a " + as + (ta ? " transposed" : "") + " and b " + bs + (tb ? " transposed" : "")
                    + " have different inner extents " + inner + " and " + bs.get(tb ? -1 : -2));
        Shape wanted = (as.rank() > 2 ? as : bs).with(-2, m).with(-1, n);
        if (as.rank() > 2 && bs.rank() > 2 && !wanted.equals(bs.with(-2, m).with(-1, n)))
            throw call.wrong("a " + as + " and b " + bs + " have different batches");
        if (bias != null) call.operand("bias", bias, "[N]", n);
        call.operand("y", y, "[.., M, N]", wanted).apart("y", y, a, b, bias);
    }

    /** Checks {@link Backend#conv2d}. */
    public static void conv2d(Backend on, Conv2dParams p, Tensor x, Tensor w, Tensor bias, Tensor z, Tensor y) {
        Call call = Call.of("conv2d", on, x).unasked("x", x).operand("w", w);
        if (bias != null) call.operand("bias", bias, "[K]", filters(call, w));
        Shape result = p.outputShape(x.shape(), w.shape());
        if (z != null) call.operand("z", z, "[N,P,Q,K]", result);
        call.operand("y", y, "[N,P,Q,K]", result).apart("y", y, x, w, bias, z);
    }

    /** Checks {@link Backend#conv2dBackwardData}. */
    public static void conv2dBackwardData(Backend on, Conv2dParams p, Tensor w, Tensor dy, Tensor dx) {
        Call call = Call.of("conv2dBackwardData", on, w).operand("w", w).operand("dx", dx);
        call.operand("dy", dy, "[N,P,Q,K]", p.outputShape(dx.shape(), w.shape()))
                .apart("dx", dx, w, dy);
    }

    /** Checks {@link Backend#conv2dBackwardWeights}. */
    public static void conv2dBackwardWeights(Backend on, Conv2dParams p, Tensor x, Tensor dy, Tensor dw, Tensor dbias) {
        Call call = Call.of("conv2dBackwardWeights", on, x).unasked("x", x).operand("dw", dw);
        if (dbias != null) call.operand("dbias", dbias, "[K]", filters(call, dw));
        call.operand("dy", dy, "[N,P,Q,K]", p.outputShape(x.shape(), dw.shape()))
                .apart("dw", dw, x, dy)
                .apart("dbias", dbias, x, dy, dw);
    }

    private static int filters(Call call, Tensor w) {
        call.operand("w", w, "[K,R,S,C/groups]", -1, -1, -1, -1);
        return w.shape().get(0);
    }

    // ---- 4 normalisation, softmax, attention ------------------------------------------------------------------

    /** Checks {@link Backend#groupNorm}. */
    public static void groupNorm(Backend on, NormParams p, NormInputs in, Tensor y, Tensor mean, Tensor rstd) {
        Tensor[] inputs = in.tensors().toArray(Tensor[]::new);
        norm(Call.of("groupNorm", on, in.x()), p, in, mean, rstd)
                .operand("y", y, "the shape of x", in.x().shape())
                .apart("y", y, inputs)
                .apart("mean", mean, inputs)
                .apart("mean", mean, y)
                .apart("rstd", rstd, inputs)
                .apart("rstd", rstd, y, mean);
    }

    /** Checks {@link Backend#groupNormBackward}. */
    public static void groupNormBackward(
            Backend on,
            NormParams p,
            NormInputs in,
            Tensor mean,
            Tensor rstd,
            Tensor dy,
            Tensor[] before,
            NormInputs d) {
        Tensor x = in.x();
        Call call = norm(Call.of("groupNormBackward", on, x), p, in, mean, rstd)
                .operand("dy", dy, "the shape of x", x.shape())
                .operand("dx", d.x(), "the shape of x", x.shape());
        if (before.length > 2) throw call.wrong(before.length + " tensors before, needs 2 at most");
        for (Tensor b : before) call.operand("before", b, "the shape of x", x.shape());
        vectors(call, x, "d", d);
        call.together("offset and doffset", in.offset(), d.offset());
        call.together("gamma and dgamma", in.gamma(), d.gamma());
        call.together("scale and dscale", in.scale(), d.scale());
        Tensor[] inputs = in.tensors().toArray(Tensor[]::new);
        Tensor[] outputs = {d.x(), d.offset(), d.gamma(), d.beta(), d.scale(), d.shift()};
        String[] roles = {"dx", "doffset", "dgamma", "dbeta", "dscale", "dshift"};
        for (int i = 0; i < outputs.length; i++)
            call.apart(roles[i], outputs[i], inputs)
                    .apart(roles[i], outputs[i], mean, rstd, dy)
                    .apart(roles[i], outputs[i], before)
                    .apart(roles[i], outputs[i], Arrays.copyOf(outputs, i));
    }

    private static Call norm(Call call, NormParams p, NormInputs in, Tensor mean, Tensor rstd) {
        Tensor x = in.x();
        call.unasked("x", x);
        if (x.shape().rank() < 2) throw call.wrong("x has shape " + x.shape() + ", needs [N, …, C]");
        if (x.shape().get(-1) % p.groups() != 0)
            throw call.wrong("the " + x.shape().get(-1) + " channels of x " + x.shape() + " cannot be cut into "
                    + p.groups() + " groups");
        vectors(call, x, "", in);
        int n = x.shape().get(0);
        return call.exact("mean", mean, "[N, groups]", n, p.groups()).exact("rstd", rstd, "[N, groups]", n, p.groups());
    }

    /** What is beside x, whose roles begin with {@code d} for gradients. */
    private static void vectors(Call call, Tensor x, String d, NormInputs in) {
        channels(call, x, d + "gamma", in.gamma(), d + "beta", in.beta());
        conditioning(call, x, d + "scale", in.scale(), d + "shift", in.shift());
        ofImages(call, x, d + "offset", in.offset());
    }

    private static void channels(Call call, Tensor x, String roleA, Tensor a, String roleB, Tensor b) {
        call.together(roleA + " and " + roleB, a, b);
        if (a == null) return;
        int c = x.shape().get(-1);
        call.exact(roleA, a, "[C]", c).exact(roleB, b, "[C]", c);
    }

    private static void conditioning(Call call, Tensor x, String roleA, Tensor a, String roleB, Tensor b) {
        call.together(roleA + " and " + roleB, a, b);
        ofImages(call, x, roleA, a);
        ofImages(call, x, roleB, b);
    }

    private static void ofImages(Call call, Tensor x, String role, Tensor a) {
        if (a != null) call.exact(role, a, "[N,C]", x.shape().get(0), x.shape().get(-1));
    }

    /** Checks {@link Backend#softmax}. */
    public static void softmax(Backend on, int axis, Tensor x, Tensor y) {
        Call call = Call.of("softmax", on, x).operand("x", x).operand("y", y, "the shape of x", x.shape());
        axis(call, axis, x).apart("y", y, x);
    }

    /** Checks {@link Backend#softmaxBackward}. */
    public static void softmaxBackward(Backend on, int axis, Tensor y, Tensor dy, Tensor dx) {
        Call call = Call.of("softmaxBackward", on, y)
                .operand("y", y)
                .operand("dy", dy, "the shape of y", y.shape())
                .operand("dx", dx, "the shape of y", y.shape());
        axis(call, axis, y).apart("dx", dx, y, dy);
    }

    private static Call axis(Call call, int axis, Tensor x) {
        if (axis < 0 || axis >= x.shape().rank())
            throw call.wrong("axis " + axis + " of x " + x.shape() + ", needs 0.."
                    + (x.shape().rank() - 1));
        return call;
    }

    /** Checks {@link Backend#attention}. */
    public static void attention(Backend on, AttentionParams p, Tensor qkv, Tensor y, Tensor logSum) {
        heads(Call.of("attention", on, qkv), p, qkv, "y", y, logSum)
                .apart("y", y, qkv)
                .apart("logSum", logSum, qkv, y);
    }

    /** Checks {@link Backend#attentionBackward}. */
    public static void attentionBackward(
            Backend on, AttentionParams p, Tensor qkv, Tensor y, Tensor logSum, Tensor dy, Tensor dqkv) {
        heads(Call.of("attentionBackward", on, qkv), p, qkv, "y", y, logSum)
                .operand("dy", dy, "the shape of y", y.shape())
                .operand("dqkv", dqkv, "the shape of qkv", qkv.shape())
                .apart("dqkv", dqkv, qkv, y, logSum, dy);
    }

    private static Call heads(Call call, AttentionParams p, Tensor qkv, String role, Tensor y, Tensor logSum) {
        call.operand("qkv", qkv);
        int n = qkv.shape().expect(-1, -1, -1).get(0);
        int length = qkv.shape().get(1);
        int width = p.headWidth(qkv.shape());
        call.operand(role, y, "[N, L, heads·d]", n, length, p.heads() * width);
        return call.exact("logSum", logSum, "[N, heads, L]", n, p.heads(), length);
    }

    /** Checks {@link Backend#linearAttention}. */
    public static void linearAttention(
            Backend on, AttentionParams p, Tensor x, Tensor w, Tensor y, Tensor context, Tensor logSum) {
        linearHeads(Call.of("linearAttention", on, x), p, x, w, "y", y, context, logSum)
                .apart("y", y, x, w)
                .apart("context", context, x, w, y)
                .apart("logSum", logSum, x, w, y, context);
    }

    /** Checks {@link Backend#linearAttentionBackward}. */
    public static void linearAttentionBackward(
            Backend on,
            AttentionParams p,
            Tensor x,
            Tensor w,
            Tensor context,
            Tensor logSum,
            Tensor dy,
            Tensor dx,
            Tensor dw) {
        Call call = linearHeads(Call.of("linearAttentionBackward", on, x), p, x, w, "dy", dy, context, logSum)
                .operand("dx", dx, "the shape of x", x.shape())
                .apart("dx", dx, x, w, context, logSum, dy);
        if ((w == null) != (dw == null)) throw call.wrong("dw must be given exactly where w is");
        if (w != null)
            call.operand("dw", dw, "the shape of w", w.shape()).apart("dw", dw, x, w, context, logSum, dy, dx);
    }

    private static Call linearHeads(
            Call call, AttentionParams p, Tensor x, Tensor w, String role, Tensor y, Tensor context, Tensor logSum) {
        call.operand("x", x);
        int n = x.shape().expect(-1, -1, -1).get(0);
        if (w != null) call.operand("w", w, "[3·heads·d, C]", -1, x.shape().get(2));
        int width = p.headWidth(Projection.shape(x, w));
        call.operand(role, y, "[N, L, heads·d]", n, x.shape().get(1), p.heads() * width);
        call.operand("context", context, "[N, heads, d, d]", n, p.heads(), width, width);
        return call.exact("logSum", logSum, "[N, heads·d]", n, p.heads() * width);
    }

    // ---- 5 updates --------------------------------------------------------------------------------------------

    /** Checks {@link Backend#cast(Tensor[], Tensor[])}. */
    public static void cast(Backend on, Tensor[] x, Tensor[] y) {
        if (x.length != y.length)
            throw new IllegalArgumentException("cast: " + x.length + " tensors to " + y.length + "; needs as many");
        for (int i = 0; i < x.length; i++) cast(on, x[i], y[i]);
    }

    /** Checks {@link Backend#adam}. */
    public static void adam(Backend on, Tensor[] w, Tensor[] dw, Tensor[] m, Tensor[] v) {
        if (w.length != dw.length || w.length != m.length || w.length != v.length)
            throw new IllegalArgumentException("adam: " + w.length + " parameters, " + dw.length + " gradients, "
                    + m.length + " and " + v.length + " moments; needs one of each for every parameter");
        for (int i = 0; i < w.length; i++) {
            Call.of("adam", on, dw[i]).operand("dw[" + i + "]", dw[i], "the shape of w", w[i].shape());
            Call.ofExact("adam", on, w[0])
                    .operand("w[" + i + "]", w[i])
                    .operand("m[" + i + "]", m[i], "the shape of w", w[i].shape())
                    .operand("v[" + i + "]", v[i], "the shape of w", w[i].shape())
                    .apart("w[" + i + "]", w[i], dw[i], m[i], v[i])
                    .apart("m[" + i + "]", m[i], dw[i], v[i])
                    .apart("v[" + i + "]", v[i], dw[i]);
        }
    }

    /** Checks {@link Backend#exponentialAverage}. */
    public static void exponentialAverage(Backend on, double decay, Tensor[] average, Tensor[] w) {
        if (average.length != w.length || !(decay >= 0 && decay <= 1))
            throw new IllegalArgumentException("exponentialAverage: decay " + decay + ", " + average.length
                    + " averages of " + w.length + " tensors; needs a decay in 0..1 and one average for each tensor");
        for (int i = 0; i < w.length; i++)
            Call.ofExact("exponentialAverage", on, w[0])
                    .operand("w[" + i + "]", w[i])
                    .operand("average[" + i + "]", average[i], "the shape of w", w[i].shape())
                    .apart("average[" + i + "]", average[i], w[i]);
    }

    /** Checks {@link Backend#sumOfSquares}. */
    public static void sumOfSquares(Backend on, Tensor[] x) {
        for (int i = 0; i < x.length; i++) Call.of("sumOfSquares", on, x[i]).operand("x[" + i + "]", x[i]);
    }
}
