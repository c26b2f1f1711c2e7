package autograd;

import static autograd.ops.Add.add;
import static autograd.ops.Attention.attention;
import static autograd.ops.AveragePool.averagePool;
import static autograd.ops.Concat.concat;
import static autograd.ops.Conv2d.conv2d;
import static autograd.ops.Dropout.dropout;
import static autograd.ops.GroupNorm.groupNorm;
import static autograd.ops.Linear.linear;
import static autograd.ops.LinearAttention.linearAttention;
import static autograd.ops.Mean.mean;
import static autograd.ops.Mul.mul;
import static autograd.ops.Permute.permute;
import static autograd.ops.Pointwise.gelu;
import static autograd.ops.Pointwise.silu;
import static autograd.ops.Pointwise.square;
import static autograd.ops.Pointwise.tanh;
import static autograd.ops.Reshape.reshape;
import static autograd.ops.Scale.scale;
import static autograd.ops.Slice.slice;
import static autograd.ops.Split.split;
import static autograd.ops.Upsample.nearest;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import tensor.DType;
import tensor.Shape;
import tensor.Tensor;
import tensor.backend.Backend;
import tensor.backend.Conv2dParams;
import tensor.backend.Mask;
import tensor.backend.NormParams;

/**
 * A computation that chance puts together from the ops of a U-Net: images are joined, cut, enlarged and used again, in any
 * order. A seed always gives the same one, on every backend, with the same numbers.
 */
final class RandomGraph {
    /** Between the positions in the random stream of two masks. */
    private static final int DRAWS = 4096;

    private static final int MOST_CHANNELS = 64;

    private final Backend backend;
    private final DType dtype;
    private final long seed;
    private final Random numbers;
    private final List<Tensor> leaves = new ArrayList<>();
    private final List<Variable> variables = new ArrayList<>();
    private final List<Variable> pool = new ArrayList<>();
    private Random random;
    private long draws;

    /** A graph; its leaves join the innermost scope. */
    RandomGraph(Backend backend, DType dtype, long seed) {
        this.backend = backend;
        this.dtype = dtype;
        this.seed = seed;
        numbers = new Random(~seed);
        loss(); // without a tape: makes the leaves
    }

    /** The leaves, in the order of their use. */
    List<Tensor> leaves() {
        return leaves;
    }

    /** The same as variables of the last {@link #loss}. */
    List<Variable> variables() {
        return List.copyOf(variables);
    }

    /** Position of the first draw in the random stream. */
    long firstDraw() {
        return 4 * (seed % 50);
    }

    /** Computes it. */
    Variable loss() {
        random = new Random(seed);
        draws = firstDraw();
        variables.clear();
        pool.clear();
        int n = 1 + random.nextInt(3);
        int side = random.nextInt(3) == 0 ? 8 : 4;
        for (int i = 0; i < 3; i++) pool.add(leaf(1, dtype, n, side, side, pick(4, 8, 8, 16, 5)));
        for (int steps = 4 + random.nextInt(14); steps > 0; steps--) step(recent());
        Variable loss = null;
        for (int i = 0; i <= random.nextInt(4); i++) {
            Variable part = mean(square(tanh(recent())));
            loss = loss == null ? part : add(loss, part);
        }
        return loss;
    }

    /** A new variable from x and others. */
    private void step(Variable x) {
        int c = x.shape().get(3);
        switch (random.nextInt(14)) {
            case 0 -> pool.add(add(x, like(x)));
            case 1 -> pool.add(scale(mul(x, like(x)), 0.5));
            case 2, 3, 4 -> join(x, random.nextInt(4) == 0 ? 3 : 2);
            case 5 -> {
                int start = random.nextInt(c);
                pool.add(slice(x, 3, start, 1 + random.nextInt(c - start)));
            }
            case 6 -> {
                if (c > 1) pool.addAll(List.of(split(x, 3, c / 2, c - c / 2)));
            }
            case 7 -> convolve(x);
            case 8, 9 -> normalise(x);
            case 10 -> attend(x);
            case 11 -> pool.add(resize(x));
            case 12 ->
                pool.add(random.nextBoolean() ? dropout(x, mask()) : permute(permute(x, 0, 3, 1, 2), 0, 2, 3, 1));
            default -> pool.add(random.nextBoolean() ? silu(x) : random.nextBoolean() ? gelu(x) : scale(x, 1));
        }
    }

    private void join(Variable x, int count) {
        Variable[] parts = new Variable[count];
        int channels = 0;
        for (int i = 0; i < count; i++) {
            parts[i] = i == 0 ? x : sized(x);
            channels += parts[i].shape().get(3);
        }
        if (channels <= MOST_CHANNELS) pool.add(concat(3, parts));
    }

    private void convolve(Variable x) {
        int k = pick(4, 8, 16, 5);
        int side = pick(1, 3);
        Conv2dParams p = Conv2dParams.of(1, side / 2);
        Variable w = filters(x, k, side);
        Variable bias = leaf(0.3, dtype, k);
        Variable other = sized(x);
        pool.add(other.shape().get(3) == k ? conv2d(p, x, w, bias, other) : conv2d(p, x, w, bias));
    }

    private void normalise(Variable x) {
        int n = x.shape().get(0);
        int c = x.shape().get(3);
        NormParams p = new NormParams(c % 4 == 0 ? pick(1, 2, 4) : 1, 1e-5, random.nextBoolean());
        Mask mask = random.nextInt(4) == 0 ? mask() : null;
        Variable gamma = leaf(1, dtype.exact(), c);
        Variable beta = leaf(0.3, dtype.exact(), c);
        Variable[] condition = new Variable[random.nextInt(3)];
        for (int i = 0; i < condition.length; i++) condition[i] = leaf(0.3, dtype.exact(), n, c);
        pool.add(groupNorm(p, mask, x, gamma, beta, condition));
    }

    private void attend(Variable x) {
        int n = x.shape().get(0);
        int side = x.shape().get(1);
        int heads = 1 + random.nextInt(2);
        int d = pick(4, 8);
        Variable projected = random.nextBoolean()
                ? conv2d(Conv2dParams.of(1, 0), x, filters(x, 3 * heads * d, 1))
                : sideBySide(x, heads * d, heads * d, heads * d);
        Variable qkv = reshape(projected, n, side * side, 3 * heads * d);
        double scale = 1 / Math.sqrt(d);
        Variable y = random.nextBoolean() ? attention(qkv, heads, scale) : linearAttention(qkv, heads, scale);
        pool.add(reshape(y, n, side, side, heads * d));
    }

    /** Several linear maps as one. */
    private Variable sideBySide(Variable x, int... widths) {
        int c = x.shape().get(3);
        Variable[] weights = Arrays.stream(widths)
                .mapToObj(width -> leaf(1 / Math.sqrt(c), dtype, width, c))
                .toArray(Variable[]::new);
        Variable[] biases =
                Arrays.stream(widths).mapToObj(width -> leaf(0.3, dtype, width)).toArray(Variable[]::new);
        return linear(x, concat(0, weights), concat(0, biases));
    }

    /** From a side of 4 to 8 or back, with filters or without. */
    private Variable resize(Variable x) {
        boolean small = x.shape().get(1) == 4;
        if (random.nextBoolean()) return small ? nearest(x, 2) : averagePool(x, 2);
        Conv2dParams p = small ? Conv2dParams.of(1, 1).enlarging(2) : Conv2dParams.of(2, 1);
        return conv2d(p, x, filters(x, 8, 3), leaf(0.3, dtype, 8));
    }

    private Variable filters(Variable x, int k, int side) {
        int c = x.shape().get(3);
        return leaf(1 / Math.sqrt(side * side * c), dtype, k, side, side, c);
    }

    private Mask mask() {
        draws += DRAWS;
        return new Mask(0.75, 5, draws - DRAWS);
    }

    /** The next leaf, made when it is asked for the first time. */
    private Variable leaf(double deviation, DType type, int... extents) {
        int number = variables.size();
        if (number == leaves.size()) {
            Shape shape = Shape.of(extents);
            double[] values = new double[shape.size()];
            for (int i = 0; i < values.length; i++) values[i] = (float) (deviation * numbers.nextGaussian());
            leaves.add(Tensor.of(backend, type, shape, values));
        }
        Variable leaf = Variable.leaf(leaves.get(number));
        variables.add(leaf);
        return leaf;
    }

    /** One of the pool, rather a late one. */
    private Variable recent() {
        int back = Math.min(random.nextInt(pool.size()), random.nextInt(pool.size()));
        return pool.get(pool.size() - 1 - back);
    }

    /** One of the same shape, perhaps x itself. */
    private Variable like(Variable x) {
        return any(pool.stream().filter(v -> v.shape().equals(x.shape())).toList());
    }

    /** One with images of the same size. */
    private Variable sized(Variable x) {
        return any(
                pool.stream().filter(v -> v.shape().get(1) == x.shape().get(1)).toList());
    }

    private Variable any(List<Variable> some) {
        return some.get(random.nextInt(some.size()));
    }

    private int pick(int... of) {
        return of[random.nextInt(of.length)];
    }
}
