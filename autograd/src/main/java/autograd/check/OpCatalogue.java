package autograd.check;

import static autograd.check.OpCase.Input.exact;
import static autograd.check.OpCase.Input.index;
import static autograd.check.OpCase.Input.of;

import autograd.Variable;
import autograd.check.OpCase.Function;
import autograd.check.OpCase.Input;
import autograd.ops.Add;
import autograd.ops.Attention;
import autograd.ops.AveragePool;
import autograd.ops.Cast;
import autograd.ops.CastAll;
import autograd.ops.Clamp;
import autograd.ops.Concat;
import autograd.ops.Conv2d;
import autograd.ops.ConvTranspose2d;
import autograd.ops.CrossEntropy;
import autograd.ops.Div;
import autograd.ops.Dropout;
import autograd.ops.Gather;
import autograd.ops.GroupNorm;
import autograd.ops.HuberLoss;
import autograd.ops.L1Loss;
import autograd.ops.Linear;
import autograd.ops.LinearAttention;
import autograd.ops.MatMul;
import autograd.ops.Mean;
import autograd.ops.MeanSquaredError;
import autograd.ops.Mish;
import autograd.ops.Mul;
import autograd.ops.Permute;
import autograd.ops.Pointwise;
import autograd.ops.Reshape;
import autograd.ops.RmsNorm;
import autograd.ops.Scale;
import autograd.ops.Shift;
import autograd.ops.Slice;
import autograd.ops.Softmax;
import autograd.ops.SpaceToDepth;
import autograd.ops.Split;
import autograd.ops.Standardize;
import autograd.ops.Sub;
import autograd.ops.Sum;
import autograd.ops.Upsample;
import autograd.ops.Variance;
import java.util.ArrayList;
import java.util.List;
import tensor.DType;
import tensor.Shape;
import tensor.backend.Conv2dParams;
import tensor.backend.Mask;
import tensor.backend.NormParams;
import tensor.backend.UnaryOp;

/**
 * Every op, in the shapes that go wrong first: batch 1, images of 13×7, channels that are not a multiple of 8, odd sizes
 * under a stride, a variable used twice, a broadcast scalar. A test fails when an op has no case here.
 */
public final class OpCatalogue {
    private final List<OpCase> cases = new ArrayList<>();

    private OpCatalogue() {
        arithmetic();
        pointwise();
        products();
        convolutions();
        norms();
        attention();
        movement();
        reductions();
    }

    /** All cases. */
    public static List<OpCase> all() {
        return List.copyOf(new OpCatalogue().cases);
    }

    private void add(String op, String name, Function function, Input... inputs) {
        add(op, name, 0, function, inputs);
    }

    private void add(String op, String name, long flop, Function function, Input... inputs) {
        cases.add(new OpCase(op, name, function, List.of(inputs), flop));
    }

    private void arithmetic() {
        Input image = of(2, 5, 3, 7);
        List<Input> others = List.of(image, of(7), of(1), of(2, 1, 1, 7), of(2, 1, 1, 1));
        for (Input other : others) {
            add("Add", "with " + other.shape(), x -> Add.add(x[0], x[1]), image, other);
            add("Sub", "with " + other.shape(), x -> Sub.sub(x[0], x[1]), image, other);
            add("Mul", "with " + other.shape(), x -> Mul.mul(x[0], x[1]), image, other);
            add("Div", "by " + other.shape(), x -> Div.div(x[0], x[1]), image, other.within(0.5, 2));
        }
        add("Add", "scalar first", x -> Add.add(x[0], x[1]), new Input(Shape.SCALAR, -1, 1, Input.Role.VALUE), image);
        add("Sub", "both broadcast", x -> Sub.sub(x[0], x[1]), of(4, 1, 3), of(5, 1));
        add("Mul", "a variable with itself", x -> Mul.mul(x[0], x[0]), of(3, 5));
        add("Add", "a variable with itself", x -> Add.add(x[0], x[0]), of(3, 5));
        add("Scale", "by −2.5", x -> Scale.scale(x[0], -2.5), image);
        add("Shift", "by 0.7", x -> Shift.shift(x[0], 0.7), image);
        add("Clamp", "to [−0.5, 0.75]", x -> Clamp.clamp(x[0], -0.5, 0.75), of(3, 17));
    }

    private void pointwise() {
        for (UnaryOp f : UnaryOp.values()) {
            boolean positive = f == UnaryOp.SQRT || f == UnaryOp.RSQRT || f == UnaryOp.LOG || f == UnaryOp.RECIPROCAL;
            Input x = of(3, 37).within(positive ? 0.3 : -3, 3);
            add("Pointwise", f.name(), v -> Pointwise.of(f, v[0]), x);
        }
        add("Pointwise", "SILU of 1 element", v -> Pointwise.silu(v[0]), of(1));
        add("Mish", "from −6 to 6", v -> Mish.mish(v[0]), of(3, 37).within(-6, 6));
    }

    private void products() {
        for (boolean ta : new boolean[] {false, true})
            for (boolean tb : new boolean[] {false, true}) {
                Input a = ta ? of(3, 7, 5) : of(3, 5, 7);
                Input b = tb ? of(3, 9, 7) : of(3, 7, 9);
                String name = (ta ? "aᵀ" : "a") + " " + (tb ? "bᵀ" : "b");
                add("MatMul", name + ", batched", 2L * 3 * 5 * 7 * 9, x -> MatMul.matmul(ta, tb, x[0], x[1]), a, b);
                Input shared = tb ? of(9, 7) : of(7, 9);
                add(
                        "MatMul",
                        name + ", b shared",
                        2L * 3 * 5 * 7 * 9,
                        x -> MatMul.matmul(ta, tb, x[0], x[1]),
                        a,
                        shared);
                Input first = ta ? of(7, 5) : of(5, 7);
                add(
                        "MatMul",
                        name + ", a shared",
                        2L * 3 * 5 * 7 * 9,
                        x -> MatMul.matmul(ta, tb, x[0], x[1]),
                        first,
                        b);
            }
        add("MatMul", "1 by 1", x -> MatMul.matmul(x[0], x[1]), of(1, 1), of(1, 1));
        add(
                "Linear",
                "with bias",
                2L * 6 * 11 * 5,
                x -> Linear.linear(x[0], x[1], x[2]),
                of(2, 3, 11),
                of(5, 11),
                of(5));
        add("Linear", "without bias", 2L * 4 * 7 * 3, x -> Linear.linear(x[0], x[1], null), of(4, 7), of(3, 7));
    }

    private void convolution(String name, Conv2dParams p, int[] x, int[] w) {
        Shape y = p.outputShape(Shape.of(x), Shape.of(w));
        long flop = 2L * y.size() * w[1] * w[2] * w[3];
        add("Conv2d", name, flop, v -> Conv2d.conv2d(p, v[0], v[1]), of(x), of(w));
        add("Conv2d", name + ", bias", flop, v -> Conv2d.conv2d(p, v[0], v[1], v[2]), of(x), of(w), of(w[0]));
        add(
                "Conv2d",
                name + ", bias and more",
                flop,
                v -> Conv2d.conv2d(p, v[0], v[1], v[2], v[3]),
                of(x),
                of(w),
                of(w[0]),
                of(y.toArray()));
    }

    private void convolutions() {
        convolution("3x3", Conv2dParams.of(1, 1), new int[] {2, 13, 7, 5}, new int[] {9, 3, 3, 5});
        convolution(
                "3x3, one image, one channel", Conv2dParams.of(1, 1), new int[] {1, 5, 4, 1}, new int[] {3, 3, 3, 1});
        convolution("1x1", Conv2dParams.of(1, 0), new int[] {2, 5, 3, 28}, new int[] {17, 1, 1, 28});
        convolution("7x7", Conv2dParams.of(1, 3), new int[] {1, 13, 7, 1}, new int[] {18, 7, 7, 1});
        convolution("3x3, few inputs", Conv2dParams.of(1, 1), new int[] {2, 13, 7, 3}, new int[] {16, 3, 3, 3});
        convolution(
                "7x7, one input, zeros mostly left and above",
                new Conv2dParams(1, 5, 0, 4, 2, 1),
                new int[] {1, 13, 7, 1},
                new int[] {16, 7, 7, 1});
        convolution(
                "3x3, few inputs, stride 2, zeros right and below",
                new Conv2dParams(2, 0, 1, 0, 1, 1),
                new int[] {2, 8, 6, 3},
                new int[] {8, 3, 3, 3});
        convolution("3x3, few outputs", Conv2dParams.of(1, 1), new int[] {2, 13, 7, 16}, new int[] {3, 3, 3, 16});
        convolution(
                "3x4, few outputs, zeros mostly left and above",
                new Conv2dParams(1, 3, 0, 2, 1, 1),
                new int[] {2, 5, 6, 24},
                new int[] {2, 3, 4, 24});
        convolution("4x4, stride 2", Conv2dParams.of(2, 1), new int[] {2, 13, 7, 6}, new int[] {5, 4, 4, 6});
        convolution(
                "3x3, stride 2, zeros right and below",
                new Conv2dParams(2, 0, 0, 1, 1, 1),
                new int[] {2, 8, 6, 5},
                new int[] {7, 3, 3, 5});
        convolution("depthwise 7x7", Conv2dParams.depthwise(3, 19), new int[] {2, 13, 7, 19}, new int[] {19, 7, 7, 1});
        convolution(
                "3x3, 2 groups", new Conv2dParams(1, 1, 1, 1, 1, 2), new int[] {1, 6, 5, 6}, new int[] {4, 3, 3, 3});
        Conv2dParams enlarging = Conv2dParams.of(1, 1).enlarging(2);
        convolution("3x3, enlarging", enlarging, new int[] {2, 9, 8, 5}, new int[] {7, 3, 3, 5});
        convolution("3x3, enlarging a small image", enlarging, new int[] {2, 3, 4, 6}, new int[] {8, 3, 3, 6});
        convolution("4x4, stride 2, enlarging", Conv2dParams.of(2, 1).enlarging(2), new int[] {1, 5, 4, 3}, new int[] {
            2, 4, 4, 3
        });
        Conv2dParams twice = Conv2dParams.of(2, 1);
        add(
                "ConvTranspose2d",
                "4x4, stride 2",
                2L * 2 * 5 * 3 * 6 * 16 * 9,
                x -> ConvTranspose2d.convTranspose2d(twice, x[0], x[1], null),
                of(2, 5, 3, 6),
                of(6, 4, 4, 9));
        add(
                "ConvTranspose2d",
                "4x4, stride 2, bias",
                2L * 5 * 3 * 6 * 16 * 9,
                x -> ConvTranspose2d.convTranspose2d(twice, x[0], x[1], x[2]),
                of(1, 5, 3, 6),
                of(6, 4, 4, 9),
                of(9));
    }

    private void norms() {
        add("RmsNorm", "7 channels", x -> RmsNorm.rmsNorm(x[0], x[1]), of(2, 5, 3, 7), of(7));
        add("RmsNorm", "one pixel", x -> RmsNorm.rmsNorm(x[0], x[1]), of(1, 16), of(16));
        for (boolean silu : new boolean[] {false, true})
            for (int groups : new int[] {1, 4, 7, 28}) {
                NormParams p = new NormParams(groups, 1e-5, silu);
                String name = groups + " groups of 28 channels" + (silu ? ", SiLU" : "");
                add(
                        "GroupNorm",
                        name,
                        x -> GroupNorm.groupNorm(p, x[0], x[1], x[2]),
                        of(2, 5, 3, 28),
                        exact(28),
                        exact(28));
                // of an offset nothing is left where each channel is a group
                if (groups < 28)
                    add(
                            "GroupNorm",
                            name + ", offset",
                            x -> GroupNorm.groupNorm(p, x[0], x[1], x[2], x[3]),
                            of(3, 5, 3, 28),
                            exact(28),
                            exact(28),
                            exact(3, 28));
                add(
                        "GroupNorm",
                        name + ", used elsewhere, too",
                        x -> Mul.mul(GroupNorm.groupNorm(p, x[0], x[1], x[2]), x[0]),
                        of(2, 5, 3, 28),
                        exact(28),
                        exact(28));
                add(
                        "GroupNorm",
                        name + ", dropout",
                        x -> GroupNorm.groupNorm(p, new Mask(0.75, 3, 4), x[0], x[1], x[2], x[3], x[4]),
                        of(3, 5, 3, 28),
                        exact(28),
                        exact(28),
                        exact(3, 28),
                        exact(3, 28));
                add(
                        "GroupNorm",
                        name + ", scale and shift",
                        x -> GroupNorm.groupNorm(p, x[0], x[1], x[2], x[3], x[4]),
                        of(3, 5, 3, 28),
                        exact(28),
                        exact(28),
                        exact(3, 28),
                        exact(3, 28));
            }
        add(
                "GroupNorm",
                "one channel",
                x -> GroupNorm.groupNorm(new NormParams(1, 1e-5, true), x[0], x[1], x[2]),
                of(1, 13, 7, 1),
                exact(1),
                exact(1));
        add("Standardize", "3x3 filters", x -> Standardize.standardize(x[0], 1e-5), of(5, 3, 3, 7));
        add("Standardize", "1x1 filters", x -> Standardize.standardize(x[0], 1e-5), of(3, 1, 1, 9));
        for (int axis = 0; axis < 3; axis++) {
            int along = axis;
            add("Softmax", "axis " + axis, x -> Softmax.softmax(x[0], along), of(4, 5, 6));
        }
        add(
                "Softmax",
                "last axis of 49",
                x -> Softmax.softmax(x[0], -1),
                of(3, 49).within(-5, 5));
    }

    private void attention() {
        int[][] sizes = {{2, 9, 4, 32}, {1, 7, 3, 5}, {2, 70, 1, 16}, {1, 70, 2, 5}, {1, 1, 2, 4}
        }; // n, length, heads, width
        for (int[] s : sizes) {
            Input qkv = of(s[0], s[1], 3 * s[2] * s[3]);
            String name = s[1] + " positions, " + s[2] + " heads of " + s[3];
            double scale = 1 / Math.sqrt(s[3]);
            add(
                    "Attention",
                    name,
                    4L * s[0] * s[1] * s[1] * s[2] * s[3],
                    x -> Attention.attention(x[0], s[2], scale),
                    qkv);
            add(
                    "LinearAttention",
                    name,
                    4L * s[0] * s[1] * s[2] * s[3] * s[3],
                    x -> LinearAttention.linearAttention(x[0], s[2], scale),
                    qkv);
            int channels = 3 + 2 * s[2];
            add(
                    "LinearAttention",
                    "of a projection of " + channels + " channels, " + name,
                    2L * s[0] * s[1] * s[2] * s[3] * (2 * s[3] + 3 * channels),
                    x -> LinearAttention.linearAttention(x[0], x[1], s[2], scale),
                    of(s[0], s[1], channels),
                    of(3 * s[2] * s[3], channels));
        }
    }

    private void movement() {
        add("Cast", "to floats", x -> Cast.cast(x[0], DType.F32), of(2, 5, 3));
        add(
                "CastAll",
                "two of three, to floats",
                x -> {
                    Variable[] y = CastAll.castAll(DType.F32, x);
                    return Mul.mul(y[0], y[2]);
                },
                of(2, 5, 3),
                of(7),
                of(2, 5, 3));
        add("Reshape", "image to sequence", x -> Reshape.reshape(x[0], 2, -1, 3), of(2, 5, 4, 3));
        add("Permute", "channels first", x -> Permute.permute(x[0], 0, 3, 1, 2), of(2, 5, 4, 3));
        add("Permute", "transposition", x -> Permute.permute(x[0], 1, 0), of(17, 19));
        add("Slice", "of the last axis", x -> Slice.slice(x[0], 2, 3, 5), of(4, 3, 11));
        add("Slice", "of the first axis", x -> Slice.slice(x[0], 0, 1, 1), of(3, 7));
        add("Concat", "three, last axis", x -> Concat.concat(3, x), of(2, 3, 5, 4), of(2, 3, 5, 1), of(2, 3, 5, 7));
        add("Concat", "a variable with itself", x -> Concat.concat(0, x[0], x[0]), of(2, 3));
        add(
                "Split",
                "two of three, last axis",
                x -> {
                    Variable[] y = Split.split(x[0], 2, 4, 1, 4);
                    return Mul.mul(y[0], y[2]);
                },
                of(3, 5, 9));
        add("Upsample", "by 2", x -> Upsample.nearest(x[0], 2), of(2, 5, 3, 7));
        add("Upsample", "by 3", x -> Upsample.nearest(x[0], 3), of(1, 2, 3, 1));
        add("AveragePool", "squares of 2", x -> AveragePool.averagePool(x[0], 2), of(2, 6, 4, 5));
        add("SpaceToDepth", "squares of 2", x -> SpaceToDepth.spaceToDepth(x[0], 2), of(2, 6, 4, 5));
        add("CrossEntropy", "of 5 classes", x -> CrossEntropy.crossEntropy(x[0], x[1]), of(7, 5), index(5, 7));
        add(
                "CrossEntropy",
                "of 50,000 classes", // of which not every pair is worth a number
                x -> CrossEntropy.crossEntropy(x[0], x[1]),
                of(2, 50_000),
                index(50_000, 2));
        add("Gather", "rows", x -> Gather.gather(x[0], x[1]), of(5, 7), index(5, 11));
        add("Gather", "numbers", x -> Gather.gather(x[0], x[1]), of(9), index(9, 4));
        add("Dropout", "a quarter", x -> Dropout.dropout(x[0], new Mask(0.75, 3, 0)), of(4, 33));
    }

    private void reductions() {
        add("Sum", "everything", x -> Sum.sum(x[0]), of(3, 5, 7));
        add("Sum", "first axis", x -> Sum.sum(x[0], 0), of(3, 5, 7));
        add("Sum", "middle and last", x -> Sum.sum(x[0], 1, -1), of(3, 5, 7));
        add("Mean", "everything", x -> Mean.mean(x[0]), of(3, 5, 7));
        add("Mean", "last axis", x -> Mean.mean(x[0], -1), of(3, 50));
        add("Variance", "everything", x -> Variance.variance(x[0]), of(3, 5, 7));
        Input a = of(2, 13, 7, 3);
        add("L1Loss", "images", x -> L1Loss.l1Loss(x[0], x[1]), a, a.within(2, 3)); // away from the kink
        add("MeanSquaredError", "images", x -> MeanSquaredError.meanSquaredError(x[0], x[1]), a, a);
        add("HuberLoss", "images", x -> HuberLoss.huberLoss(x[0], x[1]), a, a);
        add("HuberLoss", "far apart", x -> HuberLoss.huberLoss(x[0], x[1]), a, a.within(3, 5));
    }

    /** Inputs as leaves, or as constants where they are indices. */
    public static Variable[] variables(OpCase c, tensor.Tensor[] values) {
        Variable[] x = new Variable[values.length];
        for (int k = 0; k < x.length; k++)
            x[k] = c.inputs().get(k).index() ? Variable.constant(values[k]) : Variable.leaf(values[k]);
        return x;
    }
}
