package tensor.backend;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import tensor.Shape;
import tensor.Tensor;

/**
 * Every {@link Backend} call on awkward sizes: one image, 13 x 7 pixels, channel counts 1, 3, 28, 33, every pattern of
 * broadcasting, every set of axes. The calls of whole layers are in {@link LayerParityCases}.
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
        all.dropout();
        all.updates();
        all.cases.addAll(LayerParityCases.all());
        return all.cases;
    }

    /**
     * Calls of sizes that chance picks, those of layers among them.
     *
     * @param seed the same seed gives the same calls
     * @param count so many of each kind, each in its variants
     */
    static List<ParityCase> random(long seed, int count) {
        ParityCases all = new ParityCases();
        Random random = new Random(seed);
        for (int i = 0; i < count; i++) {
            all.randomCopy(random, i);
            all.randomBroadcasting(random);
            all.randomReduction(random);
            all.randomSoftmax(random);
        }
        all.cases.addAll(LayerParityCases.random(seed, count));
        return all.cases.stream().map(ParityCase::thatMayCancel).toList();
    }

    private static int[] extents(Random random) {
        int[] extents = new int[1 + random.nextInt(5)];
        for (int axis = 0; axis < extents.length; axis++)
            extents[axis] = 1 + random.nextInt(random.nextInt(4) > 0 ? 6 : 40);
        return extents;
    }

    /** One to three regions of one tensor, turned, go to regions of others, turned otherwise, with a border that stays. */
    private void randomCopy(Random random, int number) {
        long own = random.nextLong();
        add("copy of regions, random " + number, 1, (b, in) -> {
            Random r = new Random(own);
            int[] extents = extents(r);
            int rank = extents.length;
            Tensor x = in.normal(extents);
            Region[] from = new Region[1 + r.nextInt(3)];
            Region[] to = new Region[from.length];
            Tensor[] y = new Tensor[from.length];
            for (int i = 0; i < from.length; i++) {
                Region part = Region.of(x);
                for (int axis = 0; axis < rank; axis++) {
                    int start = r.nextInt(extents[axis]);
                    if (r.nextInt(3) == 0) part = part.slice(axis, start, 1 + r.nextInt(extents[axis] - start));
                }
                int[] order = order(rank, r);
                from[i] = part.permute(order);
                int repeated = r.nextInt(rank);
                if (from[i].sizes()[repeated] == 1) from[i] = from[i].repeat(repeated, 1 + r.nextInt(4));
                int[] turned = order(rank, r);
                int[] room = new int[rank];
                int[] starts = new int[rank];
                int[] back = new int[rank];
                for (int axis = 0; axis < rank; axis++) {
                    starts[axis] = r.nextInt(3);
                    room[axis] = starts[axis] + from[i].sizes()[turned[axis]] + r.nextInt(3);
                    back[turned[axis]] = axis;
                }
                y[i] = in.of(Shape.of(room), new double[Shape.of(room).size()]);
                Region place = Region.of(y[i]);
                for (int axis = 0; axis < rank; axis++)
                    place = place.slice(axis, starts[axis], from[i].sizes()[turned[axis]]);
                to[i] = place.permute(back);
            }
            b.copy(from, to);
            return y;
        });
    }

    private static int[] order(int rank, Random random) {
        List<Integer> order = new ArrayList<>();
        for (int axis = 0; axis < rank; axis++) order.add(axis);
        Collections.shuffle(order, random);
        return order.stream().mapToInt(axis -> axis).toArray();
    }

    private void randomBroadcasting(Random random) {
        int[] whole = extents(random);
        int[] part = Arrays.copyOfRange(whole, random.nextInt(whole.length + 1), whole.length);
        for (int axis = 0; axis < part.length; axis++) if (random.nextBoolean()) part[axis] = 1;
        BinaryOp f = BinaryOp.values()[random.nextInt(BinaryOp.values().length)];
        add("random " + f + " of " + Arrays.toString(whole) + " and " + Arrays.toString(part), 1, (b, in) -> {
            Tensor x = in.between(0.5, 2, whole);
            Tensor z = in.between(0.5, 2, part);
            Tensor y = in.room(whole);
            Tensor turned = in.room(whole);
            b.binary(f, x, z, y);
            b.binary(f, z, x, turned);
            return outputs(y, turned);
        });
    }

    private void randomReduction(Random random) {
        int[] whole = extents(random);
        int[] kept = whole.clone();
        int terms = 1;
        for (int axis = 0; axis < whole.length; axis++)
            if (random.nextBoolean()) {
                kept[axis] = 1;
                terms *= whole[axis];
            }
        for (ReduceOp f : ReduceOp.values())
            add("random " + f + " " + Arrays.toString(whole) + " to " + Arrays.toString(kept), terms, (b, in) -> {
                Tensor y = in.room(kept);
                b.reduce(f, in.between(0.5, 2, whole), y);
                return outputs(y);
            });
    }

    private void randomSoftmax(Random random) {
        int[] extents = extents(random);
        int axis = random.nextInt(extents.length);
        if (extents[axis] == 1) return; // its gradient is 0
        add("random softmax " + Arrays.toString(extents) + " axis " + axis, extents[axis], (b, in) -> {
            Tensor y = in.room(extents);
            Tensor dx = in.room(extents);
            b.softmax(axis, in.normal(extents), y);
            b.softmaxBackward(axis, y, in.normal(extents), dx);
            return outputs(y, dx);
        });
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
        add("NaN in what chooses an argument", 1, (b, in) -> {
            Tensor x = in.of(Shape.of(1003), withNaN(1003, 3));
            Tensor z = in.of(Shape.of(1003), withNaN(1003, 5));
            Tensor[] y = new Tensor[8];
            for (int i = 0; i < y.length; i++) y[i] = in.room(1003);
            b.unary(UnaryOp.RELU, x, y[0]);
            b.binary(BinaryOp.RELU_GRAD, x, z, y[1]);
            int next = 2;
            for (BinaryOp f : new BinaryOp[] {BinaryOp.MAX, BinaryOp.MIN}) {
                b.binary(f, x, z, y[next++]);
                b.binary(f, x, in.of(Shape.of(1), 0.5), y[next++]);
                b.binary(f, in.of(Shape.of(1), 0.5), x, y[next++]);
            }
            for (int i = 0; i < y.length; i++) y[i] = marked(in, y[i]);
            return y;
        });
        add("fill", 1, (b, in) -> {
            Tensor y = in.room(13, 7);
            b.fill(y, 0.1);
            return outputs(y);
        });
    }

    /** −3 … 3 again and again; one in {@code every} is NaN. */
    private static double[] withNaN(int size, int every) {
        double[] values = new double[size];
        for (int i = 0; i < size; i++) values[i] = i % every == 0 ? Double.NaN : i % 7 - 3;
        return values;
    }

    /** With 100 in place of NaN, which equals nothing. */
    private static Tensor marked(ParityCase.Inputs in, Tensor y) {
        double[] values = y.toDoubles();
        for (int i = 0; i < values.length; i++) if (Double.isNaN(values[i])) values[i] = 100;
        return in.of(y.shape(), values);
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
        // more terms than one float can add up, many sums side by side of few terms, as many of both; with the bound of
        // one term, for a double takes over in time
        int[][][] large = {
            {{2, 150_000, 3}, {2, 1, 3}},
            {{150_000, 3}, {1, 3}},
            {{3, 150_001}, {3, 1}},
            {{2, 100_003}, {1, 100_003}},
            {{33, 2, 7, 100}, {1, 2, 7, 100}},
            {{700, 1, 700}, {1, 1, 700}},
        };
        for (int[][] shapes : large)
            for (ReduceOp f : ReduceOp.values()) {
                int[] kept = shapes[1];
                String name = f + " " + Arrays.toString(shapes[0]) + " to " + Arrays.toString(kept);
                add(name, 1, (b, in) -> {
                    Tensor y = in.room(kept);
                    b.reduce(f, in.between(0.5, 2, shapes[0]), y);
                    return outputs(y);
                });
            }
        add("SUM of a scalar", 1, (b, in) -> {
            Tensor y = in.room();
            b.reduce(ReduceOp.SUM, in.normal(), y);
            return outputs(y);
        });
        add("sumOfSquares", 2000, (b, in) -> {
            double sum = b.sumOfSquares(new Tensor[] {
                in.exact().normal(1), in.normal(33), in.exact().normal(13, 7, 28), in.normal(11)
            });
            return outputs(in.exact().of(Shape.SCALAR, sum));
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
        add("copy: 45 regions in one call", 1, (b, in) -> {
            Tensor x = in.normal(4, 45, 67);
            Tensor y = in.room(45, 4, 67);
            Region[] from = new Region[45];
            Region[] to = new Region[45];
            for (int i = 0; i < 45; i++) {
                from[i] = Region.of(x).slice(1, i, 1).permute(1, 0, 2);
                to[i] = Region.of(y).slice(0, 44 - i, 1);
            }
            b.copy(from, to);
            b.copy(new Region[0], new Region[0]);
            return outputs(y);
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
                Tensor index = in.exact().of(Shape.of(7), 9, 0, 3, 3, 9, 5, 3);
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

    private void dropout() {
        for (long offset : new long[] {0, 12, 1L << 34})
            for (int size : new int[] {1, 6, 1003, 4096})
                add("dropout " + size + " from " + offset, 1, (b, in) -> {
                    Tensor x = in.normal(size);
                    Tensor y = in.room(size);
                    b.dropout(new Mask(0.9, 0x123456789ABCDEFL, offset), x, y);
                    b.dropout(new Mask(0.5, 7, offset), x, x);
                    return outputs(y, x);
                });
    }

    // ---- updates ----------------------------------------------------------------------------------------------

    private void updates() {
        double[][] variants = {{0, 0, 1, 1}, {0.01, 0, 1, 0.5}, {0.01, 1, 1, 1}, {0.1, 1, 1000, 0.25}};
        for (double[] v : variants)
            add("adam decay " + v[0] + (v[1] == 1 ? " decoupled" : "") + " step " + (long) v[2], 1, (b, in) -> {
                Tensor[] w = {
                    in.exact().normal(1), in.exact().normal(33), in.exact().normal(13, 7, 28)
                };
                Tensor[] dw = {in.exact().normal(1), in.normal(33), in.normal(13, 7, 28)};
                Tensor[] m = {
                    in.exact().normal(1), in.exact().normal(33), in.exact().normal(13, 7, 28)
                };
                Tensor[] second = {
                    in.exact().between(0.1, 2, 1),
                    in.exact().between(0.1, 2, 33),
                    in.exact().between(0.1, 2, 13, 7, 28)
                };
                AdamParams p = new AdamParams(1e-2, 0.9, 0.999, 1e-8, v[0], v[1] == 1, (long) v[2], v[3]);
                b.adam(p, w, dw, m, second);
                return outputs(w[0], w[1], w[2], m[0], m[1], m[2], second[0], second[1], second[2]);
            });
        add("adam of nothing", 1, (b, in) -> {
            Tensor[] none = {};
            b.adam(new AdamParams(1e-2, 0.9, 0.999, 1e-8, 0, false, 1, 1), none, none, none, none);
            b.exponentialAverage(0.5, none, none);
            return outputs(in.exact().of(Shape.SCALAR, b.sumOfSquares(none)));
        });
        add("exponentialAverage", 1, (b, in) -> {
            Tensor[] average = {
                in.exact().normal(1), in.exact().normal(33), in.exact().normal(13, 7, 28)
            };
            Tensor[] w = {
                in.exact().normal(1), in.exact().normal(33), in.exact().normal(13, 7, 28)
            };
            b.exponentialAverage(0.995, average, w);
            return average;
        });
    }
}
