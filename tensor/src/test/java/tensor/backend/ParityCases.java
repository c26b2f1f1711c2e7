package tensor.backend;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import tensor.Shape;
import tensor.Tensor;

/**
 * Every {@link Backend} call on awkward sizes: one image, 13 x 7 pixels, channel counts 1, 3, 28, 33, odd heights under
 * stride 2, unequal padding, groups, every pattern of broadcasting, every set of axes.
 */
final class ParityCases {
    private final List<ParityCase> cases = new ArrayList<>();

    private ParityCases() {}

    static List<ParityCase> all() {
        ParityCases all = new ParityCases();
        all.pointwise();
        all.broadcasting();
        all.reductions();
        all.movement();
        all.chance();
        all.products();
        all.convolutions();
        all.norms();
        all.attentions();
        all.updates();
        return all.cases;
    }

    private void add(String name, int terms, ParityCase.Call call) {
        cases.add(new ParityCase(name, terms, call));
    }

    private static Tensor[] outputs(Tensor... y) {
        return y;
    }

    // ---- pointwise --------------------------------------------------------------------------------------------

    private void pointwise() {
        for (UnaryOp f : UnaryOp.values())
            for (int size : new int[] {1, 1003}) {
                boolean positive = f == UnaryOp.SQRT || f == UnaryOp.RSQRT || f == UnaryOp.LOG;
                // away from the pole of 1/x and the root of log
                boolean apart = positive || f == UnaryOp.RECIPROCAL;
                add(f + " of " + size, 1, (b, in) -> {
                    Tensor x = apart ? in.between(1.25, 4, size) : in.between(-4, 4, size);
                    Tensor y = in.room(size);
                    b.unary(f, x, y);
                    b.unary(f, x, x);
                    return outputs(y, x);
                });
            }
        for (BinaryOp f : BinaryOp.values())
            add(f + " of [3, 5, 7]", 1, (b, in) -> {
                Tensor a = in.between(-3, 3, 3, 5, 7);
                Tensor c = f == BinaryOp.DIV ? in.between(0.5, 2, 3, 5, 7) : in.normal(3, 5, 7);
                Tensor y = in.room(3, 5, 7);
                b.binary(f, a, c, y);
                return outputs(y);
            });
        add("MUL in place of either factor", 1, (b, in) -> {
            Tensor x = in.normal(2, 13, 7, 3);
            Tensor z = in.normal(2, 13, 7, 3);
            b.binary(BinaryOp.MUL, x, in.normal(3), x);
            b.binary(BinaryOp.SUB, in.normal(1, 1, 7, 1), z, z);
            b.binary(BinaryOp.ADD, x, x, x);
            return outputs(x, z);
        });
        add("fill", 1, (b, in) -> {
            Tensor y = in.room(13, 7);
            b.fill(y, 0.1);
            return outputs(y);
        });
    }

    private void broadcasting() {
        int[][][] pairs = {
            {{2, 13, 7, 28}, {}},
            {{2, 13, 7, 28}, {1}},
            {{2, 13, 7, 28}, {28}},
            {{2, 13, 7, 28}, {2, 1, 1, 28}},
            {{2, 13, 7, 28}, {2, 1, 1, 1}},
            {{2, 13, 7, 28}, {1, 13, 7, 1}},
            {{2, 13, 7, 33}, {2, 13, 7, 1}},
            {{2, 13, 1, 7, 1, 3}, {2, 13, 1, 7, 1, 3}},
            {{2, 13, 2, 7, 2, 3}, {2, 13, 1, 7, 1, 3}},
            {{5, 1}, {1, 7}},
            {{2, 1, 7, 1}, {13, 1, 3}},
            {{1}, {}},
            {{}, {}},
        };
        for (int[][] pair : pairs)
            for (BinaryOp f : new BinaryOp[] {BinaryOp.ADD, BinaryOp.SUB, BinaryOp.DIV, BinaryOp.GREATER_EQUAL})
                add(f + " of " + Arrays.toString(pair[0]) + " and " + Arrays.toString(pair[1]), 1, (b, in) -> {
                    Tensor x = in.between(0.5, 2, pair[0]);
                    Tensor z = in.between(0.5, 2, pair[1]);
                    Tensor y = in.room(x.shape().broadcast(z.shape()));
                    Tensor turned = in.room(y.shape());
                    b.binary(f, x, z, y);
                    b.binary(f, z, x, turned);
                    return outputs(y, turned);
                });
    }

    private void reductions() {
        for (int[] extents : new int[][] {{3, 5, 4, 7}, {2, 13, 7, 33}})
            for (int axes = 0; axes < 16; axes++) {
                int[] kept = extents.clone();
                int terms = 1;
                for (int axis = 0; axis < 4; axis++)
                    if ((axes >> axis & 1) == 1) {
                        terms *= kept[axis];
                        kept[axis] = 1;
                    }
                for (ReduceOp f : ReduceOp.values())
                    add(f + " " + Arrays.toString(extents) + " to " + Arrays.toString(kept), terms, (b, in) -> {
                        Tensor y = in.room(kept);
                        b.reduce(f, in.normal(extents), y);
                        return outputs(y);
                    });
            }
        for (ReduceOp f : ReduceOp.values())
            add(f + " of 100,003 numbers", 100_003, (b, in) -> {
                Tensor y = in.room(1);
                b.reduce(f, in.normal(100_003), y);
                return outputs(y);
            });
        add("SUM of a scalar", 1, (b, in) -> {
            Tensor y = in.room();
            b.reduce(ReduceOp.SUM, in.normal(), y);
            return outputs(y);
        });
        add("sumOfSquares", 2000, (b, in) -> {
            double sum = b.sumOfSquares(new Tensor[] {in.normal(1), in.normal(33), in.normal(13, 7, 28)});
            return outputs(in.of(Shape.SCALAR, sum));
        });
    }

    // ---- movement, chance -------------------------------------------------------------------------------------

    private void movement() {
        add("copy: concat and slice of channels", 1, (b, in) -> {
            Tensor y = in.room(2, 13, 7, 31);
            b.copy(Region.of(in.normal(2, 13, 7, 28)), Region.of(y).slice(3, 0, 28));
            b.copy(Region.of(in.normal(2, 13, 7, 3)), Region.of(y).slice(3, 28, 3));
            Tensor middle = in.room(2, 5, 3, 6);
            b.copy(Region.of(y).slice(1, 4, 5).slice(2, 2, 3).slice(3, 25, 6), Region.of(middle));
            return outputs(y, middle);
        });
        add("copy: pad", 1, (b, in) -> {
            Tensor y = in.of(Shape.of(1, 15, 10, 3), new double[450]);
            b.copy(
                    Region.of(in.normal(1, 13, 7, 3)),
                    Region.of(y).slice(1, 1, 13).slice(2, 3, 7));
            return outputs(y);
        });
        int[][] orders = {{0, 3, 1, 2}, {3, 2, 1, 0}, {0, 2, 1, 3}, {1, 0, 2, 3}, {0, 1, 3, 2}};
        for (int[] order : orders)
            add("copy: permute " + Arrays.toString(order), 1, (b, in) -> {
                Region turned = Region.of(in.normal(2, 13, 7, 28)).permute(order);
                Tensor y = in.room(turned.sizes());
                b.copy(turned, Region.of(y));
                return outputs(y);
            });
        add("copy: nearest upsampling by repeats", 1, (b, in) -> {
            Region x = Region.of(in.normal(2, 13, 7, 3), Shape.of(2, 13, 1, 7, 1, 3));
            Tensor y = in.room(2, 26, 14, 3);
            b.copy(x.repeat(2, 2).repeat(4, 2), Region.of(y, Shape.of(2, 13, 2, 7, 2, 3)));
            return outputs(y);
        });
        add("copy: space to depth", 1, (b, in) -> {
            Region x = Region.of(in.normal(2, 6, 14, 3), Shape.of(2, 3, 2, 7, 2, 3));
            Tensor y = in.room(2, 3, 7, 12);
            b.copy(x.permute(0, 1, 3, 2, 4, 5), Region.of(y, Shape.of(2, 3, 7, 2, 2, 3)));
            return outputs(y);
        });
        add("copy: a scalar, and a scalar to a row", 1, (b, in) -> {
            Tensor x = in.normal();
            Tensor y = in.room();
            Tensor row = in.room(33);
            b.copy(Region.of(x), Region.of(y));
            b.copy(Region.of(x, Shape.of(1)).repeat(0, 33), Region.of(row));
            return outputs(y, row);
        });
        for (int[] row : new int[][] {{}, {1}, {3, 11}, {128}})
            add("gather and scatterAdd of rows " + Arrays.toString(row), 3, (b, in) -> {
                int[] tables = new int[row.length + 1];
                System.arraycopy(row, 0, tables, 1, row.length);
                int[] picks = tables.clone();
                tables[0] = 10;
                picks[0] = 7;
                Tensor index = in.of(Shape.of(7), 9, 0, 3, 3, 9, 5, 3);
                Tensor y = in.room(picks);
                Tensor dtable = in.room(tables);
                b.gather(in.normal(tables), index, y);
                b.scatterAdd(index, in.normal(picks), dtable);
                return outputs(y, dtable);
            });
    }

    private void chance() {
        Distribution[] all = {
            Distribution.UNIFORM, Distribution.NORMAL, Distribution.integers(1000), Distribution.keep(0.9)
        };
        for (Distribution d : all)
            for (long offset : new long[] {0, 12, 1L << 34})
                for (int size : new int[] {1, 6, 1003})
                    add("random " + d.kind() + " " + size + " from " + offset, 1, (b, in) -> {
                        Tensor y = in.room(size);
                        b.random(d, 0x123456789ABCDEFL, offset, y);
                        return outputs(y);
                    });
    }

    // ---- linear algebra ---------------------------------------------------------------------------------------

    private void products() {
        int[][] sizes = {{1, 1, 1}, {13, 7, 33}, {1, 28, 91}, {91, 1, 3}, {64, 128, 28}}; // M, N, K
        for (int[] size : sizes)
            for (int layout = 0; layout < 4; layout++)
                for (String batches :
                        new String[] {"[] []", "[5] [5]", "[5] []", "[] [5]", "[2, 3] [2, 3]", "[2, 3] []"}) {
                    boolean ta = layout % 2 == 1;
                    boolean tb = layout / 2 == 1;
                    boolean bias = (layout + size[0]) % 2 == 0;
                    int[] m = {size[0], size[1], size[2]};
                    int[] batchA = extents(batches.substring(0, batches.indexOf(']') + 1));
                    int[] batchB = extents(batches.substring(batches.indexOf(']') + 2));
                    String name =
                            "matmul " + batches + " " + Arrays.toString(m) + (ta ? " ta" : "") + (tb ? " tb" : "");
                    add(name + (bias ? " bias" : ""), m[2], (b, in) -> {
                        Tensor x = in.normal(join(batchA, ta ? m[2] : m[0], ta ? m[0] : m[2]));
                        Tensor w = in.normal(join(batchB, tb ? m[1] : m[2], tb ? m[2] : m[1]));
                        Tensor y = in.room(join(batchA.length > 0 ? batchA : batchB, m[0], m[1]));
                        b.matmul(ta, tb, x, w, bias ? in.normal(m[1]) : null, y);
                        return outputs(y);
                    });
                }
    }

    private static int[] extents(String list) {
        String inside = list.substring(1, list.length() - 1);
        return inside.isEmpty()
                ? new int[0]
                : Arrays.stream(inside.split(", ")).mapToInt(Integer::parseInt).toArray();
    }

    private static int[] join(int[] batch, int rows, int columns) {
        int[] all = Arrays.copyOf(batch, batch.length + 2);
        all[batch.length] = rows;
        all[batch.length + 1] = columns;
        return all;
    }

    private void convolutions() {
        conv("3x3, one channel", 1, 13, 7, 1, 3, 3, 3, Conv2dParams.of(1, 1));
        conv("3x3, RGB", 2, 13, 7, 3, 28, 3, 3, Conv2dParams.of(1, 1));
        conv("3x3, 28 to 33", 1, 13, 7, 28, 33, 3, 3, Conv2dParams.of(1, 1));
        conv("3x3, 33 to 28 on 8x8", 3, 8, 8, 33, 28, 3, 3, Conv2dParams.of(1, 1));
        conv("3x3, 64 to 64", 2, 14, 14, 64, 64, 3, 3, Conv2dParams.of(1, 1));
        conv("3x3 to one channel", 2, 13, 7, 28, 1, 3, 3, Conv2dParams.of(1, 1));
        conv("1x1", 2, 13, 7, 28, 33, 1, 1, Conv2dParams.of(1, 0));
        conv("1x1, stride 2", 2, 13, 7, 28, 3, 1, 1, Conv2dParams.of(2, 0));
        conv("1x1, padded", 1, 5, 5, 3, 3, 1, 1, Conv2dParams.of(1, 1));
        conv("4x4, stride 2, odd height", 2, 13, 8, 28, 28, 4, 4, Conv2dParams.of(2, 1));
        conv("3x3, stride 2, both odd", 1, 13, 7, 3, 33, 3, 3, Conv2dParams.of(2, 1));
        conv("7x7, first layer", 2, 13, 7, 1, 18, 7, 7, Conv2dParams.of(1, 3));
        conv("5x3", 1, 13, 7, 3, 5, 5, 3, new Conv2dParams(1, 2, 1, 2, 1, 1));
        conv("unequal padding", 2, 13, 7, 3, 28, 3, 3, new Conv2dParams(2, 0, 0, 1, 1, 1));
        conv("more unequal padding", 1, 13, 7, 28, 3, 2, 4, new Conv2dParams(1, 3, 0, 1, 2, 1));
        conv("whole image", 2, 13, 7, 3, 5, 13, 7, Conv2dParams.of(1, 0));
        conv("one pixel", 1, 1, 1, 33, 28, 3, 3, Conv2dParams.of(1, 1));
        conv("depthwise 7x7", 2, 13, 7, 28, 28, 7, 7, Conv2dParams.depthwise(3, 28));
        conv("depthwise 3x3, 33", 1, 13, 7, 33, 33, 3, 3, Conv2dParams.depthwise(1, 33));
        conv("depthwise, two filters each", 1, 13, 7, 3, 6, 3, 3, Conv2dParams.depthwise(1, 3));
        conv("three groups, stride 2", 2, 13, 7, 6, 9, 3, 3, new Conv2dParams(2, 1, 1, 1, 1, 3));
        conv("two groups, 1x1", 1, 13, 7, 28, 4, 1, 1, new Conv2dParams(1, 0, 0, 0, 0, 2));
        add("transposed 4x4", 28 * 4, (b, in) -> {
            Conv2dParams p = Conv2dParams.of(2, 1);
            Tensor dy = in.normal(2, 7, 5, 28);
            Tensor w = in.normal(28, 4, 4, 33);
            Tensor dx = in.room(p.transposedShape(dy.shape(), w.shape()));
            b.conv2dBackwardData(p, w, dy, dx);
            return outputs(dx);
        });
        add("a filter changed between two calls", 27, (b, in) -> {
            Conv2dParams p = Conv2dParams.of(1, 1);
            Tensor x = in.normal(1, 13, 7, 3);
            Tensor w = in.normal(28, 3, 3, 3);
            Tensor first = in.room(1, 13, 7, 28);
            Tensor second = in.room(1, 13, 7, 28);
            Tensor dx = in.room(1, 13, 7, 3);
            b.conv2d(p, x, w, null, first);
            b.conv2dBackwardData(p, w, first, dx);
            b.binary(BinaryOp.MUL, w, in.of(Shape.SCALAR, -0.5), w);
            b.conv2d(p, x, w, null, second);
            b.conv2dBackwardData(p, w, first, dx);
            return outputs(first, second, dx);
        });
    }

    private void conv(String name, int n, int h, int w, int c, int k, int r, int s, Conv2dParams p) {
        Shape image = Shape.of(n, h, w, c);
        Shape filter = Shape.of(k, r, s, c / p.groups());
        Shape result = p.outputShape(image, filter);
        for (boolean bias : new boolean[] {true, false}) {
            String label = name + (bias ? " with bias " : " ") + image + " " + filter;
            add("conv2d " + label, r * s * c / p.groups(), (b, in) -> {
                Tensor y = in.room(result);
                Tensor x = in.normal(image.toArray());
                b.conv2d(p, x, in.normal(filter.toArray()), bias ? in.normal(k) : null, y);
                return outputs(y);
            });
            add("conv2dBackwardWeights " + label, n * result.get(1) * result.get(2), (b, in) -> {
                Tensor dw = in.room(filter);
                Tensor dbias = bias ? in.room(k) : null;
                Tensor x = in.normal(image.toArray());
                b.conv2dBackwardWeights(p, x, in.normal(result.toArray()), dw, dbias);
                return bias ? outputs(dw, dbias) : outputs(dw);
            });
        }
        add("conv2dBackwardData " + name + " " + image + " " + filter, r * s * k / p.groups(), (b, in) -> {
            Tensor dx = in.room(image);
            b.conv2dBackwardData(p, in.normal(filter.toArray()), in.normal(result.toArray()), dx);
            return outputs(dx);
        });
    }

    // ---- normalisation, softmax, attention --------------------------------------------------------------------

    private void norms() {
        int[][] shapes = {{1, 13, 7, 33}, {2, 5, 28}, {3, 28}, {2, 8, 8, 3}};
        int[][] groups = {{1, 3, 11, 33}, {1, 4, 28}, {1, 4}, {1, 3}};
        for (int i = 0; i < shapes.length; i++)
            for (int g : groups[i])
                for (int variant = 0; variant < 8; variant++)
                    norm(shapes[i], g, (variant & 1) == 1, (variant & 2) == 2, (variant & 4) == 4);
        norm(new int[] {2, 28, 28, 64}, 8, true, true, true);
    }

    private void norm(int[] shape, int groups, boolean affine, boolean conditioned, boolean silu) {
        NormParams p = new NormParams(groups, 1e-5, silu);
        int n = shape[0];
        int c = shape[shape.length - 1];
        int length = Shape.of(shape).size() / (n * c);
        String name = "groupNorm " + Arrays.toString(shape) + " groups " + groups + (affine ? " affine" : "")
                + (conditioned ? " scale-shift" : "") + (silu ? " silu" : "");
        add(name, length * c / groups * (affine ? n : 1), (b, in) -> {
            Tensor x = in.normal(shape);
            b.binary(BinaryOp.ADD, x, in.of(Shape.SCALAR, 0.75), x); // a mean that is not 0
            Tensor gamma = affine ? in.normal(c) : null;
            Tensor beta = affine ? in.normal(c) : null;
            Tensor scale = conditioned ? in.normal(n, c) : null;
            Tensor shift = conditioned ? in.normal(n, c) : null;
            Tensor y = in.room(shape);
            Tensor mean = in.room(n, groups);
            Tensor rstd = in.room(n, groups);
            b.groupNorm(p, x, gamma, beta, scale, shift, y, mean, rstd);
            Tensor dx = in.room(shape);
            Tensor dgamma = affine ? in.room(c) : null;
            Tensor dbeta = affine ? in.room(c) : null;
            Tensor dscale = conditioned ? in.room(n, c) : null;
            Tensor dshift = conditioned ? in.room(n, c) : null;
            Tensor dy = in.normal(shape);
            b.groupNormBackward(p, x, gamma, beta, scale, shift, mean, rstd, dy, dx, dgamma, dbeta, dscale, dshift);
            List<Tensor> all = new ArrayList<>(List.of(y, mean, rstd, dx));
            if (affine) all.addAll(List.of(dgamma, dbeta));
            if (conditioned) all.addAll(List.of(dscale, dshift));
            return all.toArray(Tensor[]::new);
        });
    }

    private void attentions() {
        for (int[] shape : new int[][] {{4, 33}, {2, 13, 7, 3}, {2, 4, 91, 91}, {1, 1}, {5}})
            for (int along = 0; along < shape.length; along++) {
                int axis = along;
                for (int width : new int[] {1, 50})
                    add(
                            "softmax " + Arrays.toString(shape) + " axis " + axis + " width " + width,
                            shape[axis],
                            (b, in) -> {
                                Tensor y = in.room(shape);
                                Tensor dx = in.room(shape);
                                b.softmax(axis, in.between(-width, width, shape), y);
                                b.softmaxBackward(axis, y, in.normal(shape), dx);
                                return outputs(y, dx);
                            });
            }
        int[][] sizes = {{1, 1, 1, 5}, {2, 49, 4, 32}, {1, 91, 1, 8}, {2, 13, 3, 5}, {1, 16, 4, 28}}; // N, L, heads, d
        for (int[] size : sizes) {
            int n = size[0];
            int length = size[1];
            int heads = size[2];
            int d = size[3];
            AttentionParams p = new AttentionParams(heads, 1 / Math.sqrt(d));
            add("attention " + Arrays.toString(size), length * d, (b, in) -> {
                Tensor qkv = in.normal(n, length, 3 * heads * d);
                Tensor y = in.room(n, length, heads * d);
                Tensor logSum = in.room(n, heads, length);
                Tensor dqkv = in.room(qkv.shape());
                b.attention(p, qkv, y, logSum);
                b.attentionBackward(p, qkv, y, logSum, in.normal(n, length, heads * d), dqkv);
                return outputs(y, logSum, dqkv);
            });
            add("linearAttention " + Arrays.toString(size), length * d, (b, in) -> {
                Tensor qkv = in.normal(n, length, 3 * heads * d);
                Tensor y = in.room(n, length, heads * d);
                Tensor context = in.room(n, heads, d, d);
                Tensor logSum = in.room(n, heads * d);
                Tensor dqkv = in.room(qkv.shape());
                b.linearAttention(p, qkv, y, context, logSum);
                b.linearAttentionBackward(p, qkv, context, logSum, in.normal(n, length, heads * d), dqkv);
                return outputs(y, context, logSum, dqkv);
            });
        }
    }

    // ---- updates ----------------------------------------------------------------------------------------------

    private void updates() {
        double[][] variants = {{0, 0, 1, 1}, {0.01, 0, 1, 0.5}, {0.01, 1, 1, 1}, {0.1, 1, 1000, 0.25}};
        for (double[] v : variants)
            add("adam decay " + v[0] + (v[1] == 1 ? " decoupled" : "") + " step " + (long) v[2], 1, (b, in) -> {
                Tensor[] w = {in.normal(1), in.normal(33), in.normal(13, 7, 28)};
                Tensor[] dw = {in.normal(1), in.normal(33), in.normal(13, 7, 28)};
                Tensor[] m = {in.normal(1), in.normal(33), in.normal(13, 7, 28)};
                Tensor[] second = {in.between(0.1, 2, 1), in.between(0.1, 2, 33), in.between(0.1, 2, 13, 7, 28)};
                AdamParams p = new AdamParams(1e-2, 0.9, 0.999, 1e-8, v[0], v[1] == 1, (long) v[2], v[3]);
                b.adam(p, w, dw, m, second);
                return outputs(w[0], w[1], w[2], m[0], m[1], m[2], second[0], second[1], second[2]);
            });
        add("adam of nothing", 1, (b, in) -> {
            Tensor[] none = {};
            b.adam(new AdamParams(1e-2, 0.9, 0.999, 1e-8, 0, false, 1, 1), none, none, none, none);
            b.exponentialAverage(0.5, none, none);
            return outputs(in.of(Shape.SCALAR, b.sumOfSquares(none)));
        });
        add("exponentialAverage", 1, (b, in) -> {
            Tensor[] average = {in.normal(1), in.normal(33), in.normal(13, 7, 28)};
            Tensor[] w = {in.normal(1), in.normal(33), in.normal(13, 7, 28)};
            b.exponentialAverage(0.995, average, w);
            return average;
        });
    }
}
