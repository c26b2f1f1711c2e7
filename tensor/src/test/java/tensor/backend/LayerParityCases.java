package tensor.backend;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import tensor.Shape;
import tensor.Tensor;

/**
 * The calls that make up layers, on awkward sizes: every transposition and batching of a product, odd heights under
 * stride 2, unequal padding, groups, every variant of group norm, sequences of one position.
 */
final class LayerParityCases {
    private final List<ParityCase> cases = new ArrayList<>();

    private LayerParityCases() {}

    static List<ParityCase> all() {
        LayerParityCases all = new LayerParityCases();
        all.products();
        all.convolutions();
        all.norms();
        all.attentions();
        return all.cases;
    }

    /**
     * Calls of sizes that chance picks.
     *
     * @param seed the same seed gives the same calls
     * @param count so many of each kind, each in its variants
     */
    static List<ParityCase> random(long seed, int count) {
        LayerParityCases all = new LayerParityCases();
        Random random = new Random(seed);
        for (int i = 0; i < count; i++) {
            all.randomProduct(random);
            all.randomConvolution(random);
            all.randomNorm(random);
            all.attention(1 + random.nextInt(4), extent(random, 70), 1 + random.nextInt(5), extent(random, 40));
        }
        return all.cases;
    }

    /** Below a limit, and as often below a tenth of it. */
    private static int extent(Random random, int limit) {
        return 1 + random.nextInt(random.nextBoolean() ? limit : Math.max(1, limit / 10));
    }

    private void randomProduct(Random random) {
        int[] m = {extent(random, 100), extent(random, 100), extent(random, 150)};
        int[][] some = {{}, {1 + random.nextInt(5)}, {2, 1 + random.nextInt(3)}};
        int[] batch = some[random.nextInt(3)];
        int which = random.nextInt(3);
        int[] batchA = which == 1 ? some[0] : batch;
        int[] batchB = which == 2 ? some[0] : batch;
        product(batchA, batchB, m, random.nextBoolean(), random.nextBoolean(), random.nextBoolean());
    }

    private void randomConvolution(Random random) {
        int[] filters = {1, 3, 3, 3, 1 + random.nextInt(7)};
        int r = filters[random.nextInt(5)];
        int s = random.nextInt(4) > 0 ? r : 1 + random.nextInt(7);
        int h = extent(random, 30);
        int w = random.nextBoolean() ? h : extent(random, 30);
        boolean usual = random.nextBoolean();
        int stride = usual ? 1 : 1 + random.nextInt(3);
        int[] pads = new int[4];
        for (int side = 0; side < 4; side++) pads[side] = usual ? r / 2 : random.nextInt(Math.max(r, s));
        int groups = random.nextInt(3) > 0 ? 1 : extent(random, 30);
        boolean depthwise = groups > 1 && random.nextBoolean();
        int c = groups * (depthwise ? 1 : extent(random, groups == 1 ? 80 : 8));
        int k = groups * (depthwise ? 1 + random.nextInt(2) : extent(random, groups == 1 ? 80 : 8));
        int enlarge = random.nextInt(5) > 0 ? 1 : 2;
        Conv2dParams p = new Conv2dParams(stride, pads[0], pads[1], pads[2], pads[3], groups, enlarge);
        boolean fits = enlarge * h + pads[0] + pads[2] >= r && enlarge * w + pads[1] + pads[3] >= s;
        if (!fits) return;
        long one = (long) h * w * enlarge * enlarge * r * s * (c / groups) * k;
        int n = (int) Math.max(1, Math.min(extent(random, 9), 20_000_000 / one)); // the reference takes its time
        String text = "stride " + stride + " pads " + Arrays.toString(pads) + " groups " + groups
                + (enlarge > 1 ? " enlarging" : "");
        conv(text, n, h, w, c, k, r, s, p);
    }

    private void randomNorm(Random random) {
        int groups = extent(random, 40);
        int c = groups * extent(random, 20);
        int side = extent(random, 25);
        int[] shape = {1 + random.nextInt(5), side, side, c};
        if (side * side * c / groups < 8) return; // a group of few numbers may have next to no variance
        norm(shape, groups, random.nextBoolean(), random.nextBoolean(), random.nextBoolean());
    }

    private void add(String name, int terms, ParityCase.Call call) {
        cases.add(new ParityCase(name, terms, call));
    }

    private static Tensor[] outputs(Tensor... y) {
        return y;
    }

    // ---- linear algebra ---------------------------------------------------------------------------------------

    private void products() {
        int[][] sizes = {{1, 1, 1}, {13, 7, 33}, {1, 28, 91}, {91, 1, 3}, {64, 128, 28}}; // M, N, K
        for (int[] size : sizes)
            for (int layout = 0; layout < 4; layout++)
                for (String batches :
                        new String[] {"[] []", "[5] [5]", "[5] []", "[] [5]", "[2, 3] [2, 3]", "[2, 3] []"}) {
                    int[] batchA = extents(batches.substring(0, batches.indexOf(']') + 1));
                    int[] batchB = extents(batches.substring(batches.indexOf(']') + 2));
                    product(batchA, batchB, size, layout % 2 == 1, layout / 2 == 1, (layout + size[0]) % 2 == 0);
                }
    }

    private void product(int[] batchA, int[] batchB, int[] m, boolean ta, boolean tb, boolean bias) {
        String name = "matmul " + Arrays.toString(batchA) + " " + Arrays.toString(batchB) + " " + Arrays.toString(m)
                + (ta ? " ta" : "") + (tb ? " tb" : "") + (bias ? " bias" : "");
        add(name, m[2], (b, in) -> {
            Tensor x = in.normal(join(batchA, ta ? m[2] : m[0], ta ? m[0] : m[2]));
            Tensor w = in.normal(join(batchB, tb ? m[1] : m[2], tb ? m[2] : m[1]));
            Tensor y = in.room(join(batchA.length > 0 ? batchA : batchB, m[0], m[1]));
            b.matmul(ta, tb, x, w, bias ? in.normal(m[1]) : null, y);
            return outputs(y);
        });
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
        conv("3x3, many tiles, the last ones beyond the edge", 4, 13, 11, 20, 37, 3, 3, Conv2dParams.of(1, 1));
        conv("3x3, unequal padding, many tiles", 4, 12, 13, 33, 16, 3, 3, new Conv2dParams(1, 0, 2, 1, 0, 1));
        conv("3x3, more tiles than at a time", 5, 30, 31, 64, 64, 3, 3, Conv2dParams.of(1, 1));
        conv("3x3, tiles for eight parts of a sum", 9, 31, 29, 17, 19, 3, 3, Conv2dParams.of(1, 1));
        conv("3x3, tiles for sixteen", 17, 30, 31, 16, 20, 3, 3, Conv2dParams.of(1, 1));
        conv("3x3, small tiles for eight", 600, 2, 2, 19, 16, 3, 3, Conv2dParams.of(1, 1));
        conv("3x3, small tiles for sixteen", 1100, 2, 1, 16, 17, 3, 3, Conv2dParams.of(1, 1));
        conv("3x3 to one channel", 2, 13, 7, 28, 1, 3, 3, Conv2dParams.of(1, 1));
        conv("1x1", 2, 13, 7, 28, 33, 1, 1, Conv2dParams.of(1, 0));
        conv("1x1, many pixels", 3, 19, 23, 20, 37, 1, 1, Conv2dParams.of(1, 0));
        conv("1x1, stride 2", 2, 13, 7, 28, 3, 1, 1, Conv2dParams.of(2, 0));
        conv("1x1, padded", 1, 5, 5, 3, 3, 1, 1, Conv2dParams.of(1, 1));
        conv("1x1, stride 2, few channels", 8, 8, 8, 4, 16, 1, 1, Conv2dParams.of(2, 0));
        conv("1x1, stride 3, few channels, odd sizes", 5, 13, 17, 5, 8, 1, 1, Conv2dParams.of(3, 0));
        conv("3x3, stride 2, one column", 3, 7, 1, 16, 16, 3, 3, Conv2dParams.of(2, 1));
        conv("4x2, stride 3, two columns", 2, 7, 2, 32, 24, 4, 2, new Conv2dParams(3, 2, 1, 2, 1, 1));
        conv("4x4, stride 2, odd height", 2, 13, 8, 28, 28, 4, 4, Conv2dParams.of(2, 1));
        conv("3x3, stride 2, both odd", 1, 13, 7, 3, 33, 3, 3, Conv2dParams.of(2, 1));
        conv("7x7, first layer", 2, 13, 7, 1, 18, 7, 7, Conv2dParams.of(1, 3));
        conv("3x3, RGB to 32", 3, 13, 7, 3, 32, 3, 3, Conv2dParams.of(1, 1));
        conv("7x7, one to 16", 2, 13, 7, 1, 16, 7, 7, Conv2dParams.of(1, 3));
        conv("3x3, 5 to 40, stride 2, unequal padding", 2, 13, 8, 5, 40, 3, 3, new Conv2dParams(2, 2, 0, 1, 3, 1));
        conv("1x1, 3 to 8, stride 2", 2, 13, 7, 3, 8, 1, 1, Conv2dParams.of(2, 0));
        conv("3x3, 32 to RGB", 3, 13, 7, 32, 3, 3, 3, Conv2dParams.of(1, 1));
        conv("2x4, 40 to 7, unequal padding", 2, 13, 7, 40, 7, 2, 4, new Conv2dParams(1, 3, 0, 1, 2, 1));
        conv("7x7, 16 to one, no padding", 2, 13, 8, 16, 1, 7, 7, Conv2dParams.of(1, 0));
        conv("5x3", 1, 13, 7, 3, 5, 5, 3, new Conv2dParams(1, 2, 1, 2, 1, 1));
        conv("unequal padding", 2, 13, 7, 3, 28, 3, 3, new Conv2dParams(2, 0, 0, 1, 1, 1));
        conv("more unequal padding", 1, 13, 7, 28, 3, 2, 4, new Conv2dParams(1, 3, 0, 1, 2, 1));
        conv(
                "2x4, stride 3, the last column beyond the image",
                2,
                8,
                1,
                4,
                13,
                2,
                4,
                new Conv2dParams(3, 0, 2, 0, 4, 1));
        conv("5x2, stride 4, beyond on all sides", 1, 6, 2, 2, 20, 5, 2, new Conv2dParams(4, 2, 6, 4, 5, 1));
        conv("3x1, stride 2, four groups, beyond", 1, 3, 1, 4, 48, 3, 1, new Conv2dParams(2, 4, 1, 5, 5, 4));
        conv("whole image", 2, 13, 7, 3, 5, 13, 7, Conv2dParams.of(1, 0));
        conv("one pixel", 1, 1, 1, 33, 28, 3, 3, Conv2dParams.of(1, 1));
        conv("depthwise 7x7", 2, 13, 7, 28, 28, 7, 7, Conv2dParams.depthwise(3, 28));
        conv("depthwise 3x3, 33", 1, 13, 7, 33, 33, 3, 3, Conv2dParams.depthwise(1, 33));
        conv("depthwise, two filters each", 1, 13, 7, 3, 6, 3, 3, Conv2dParams.depthwise(1, 3));
        conv("three groups, stride 2", 2, 13, 7, 6, 9, 3, 3, new Conv2dParams(2, 1, 1, 1, 1, 3));
        conv("two groups, 1x1", 1, 13, 7, 28, 4, 1, 1, new Conv2dParams(1, 0, 0, 0, 0, 2));
        Conv2dParams enlarging = Conv2dParams.of(1, 1).enlarging(2);
        conv("3x3 enlarging", 2, 9, 8, 16, 24, 3, 3, enlarging);
        conv("3x3 enlarging, odd channels", 1, 8, 13, 5, 7, 3, 3, enlarging);
        conv("3x3 enlarging, half vectors", 2, 14, 14, 28, 28, 3, 3, enlarging);
        conv("3x3 enlarging a small image", 3, 7, 8, 33, 28, 3, 3, enlarging);
        conv("3x3 enlarging one pixel", 1, 1, 1, 3, 5, 3, 3, enlarging);
        conv("3x3 enlarging, unequal padding", 1, 9, 8, 3, 8, 3, 3, new Conv2dParams(1, 1, 1, 0, 1, 1, 2));
        conv(
                "4x4 enlarging, stride 2",
                2,
                13,
                8,
                6,
                5,
                4,
                4,
                Conv2dParams.of(2, 1).enlarging(2));
        conv("1x1 enlarging", 2, 9, 8, 28, 33, 1, 1, Conv2dParams.of(1, 0).enlarging(2));
        conv(
                "depthwise 3x3 enlarging",
                1,
                9,
                8,
                33,
                33,
                3,
                3,
                Conv2dParams.depthwise(1, 33).enlarging(2));
        gradientsInTurn(enlarging);
        add("transposed 4x4", 28 * 4, (b, in) -> {
            Conv2dParams p = Conv2dParams.of(2, 1);
            Tensor dy = in.normal(2, 7, 5, 28);
            Tensor w = in.normal(28, 4, 4, 33);
            Tensor dx = in.room(p.transposedShape(dy.shape(), w.shape()));
            b.conv2dBackwardData(p, w, dy, dx);
            return outputs(dx);
        });
        changedFilter(1, 3);
        changedFilter(8, 20);
        filterAndView();
    }

    /** Both gradients of one dy, and again after it has changed. */
    private void gradientsInTurn(Conv2dParams p) {
        add(
                "conv2dBackwardWeights, conv2dBackwardData and both again for another dy, enlarging",
                2 * 16 * 18,
                (b, in) -> {
                    Tensor x = in.normal(2, 8, 9, 6);
                    Tensor w = in.normal(8, 3, 3, 6);
                    Tensor dy = in.normal(2, 16, 18, 8);
                    Tensor[] dw = {in.room(8, 3, 3, 6), in.room(8, 3, 3, 6)};
                    Tensor[] dx = {in.room(2, 8, 9, 6), in.room(2, 8, 9, 6), in.room(2, 8, 9, 6)};
                    b.conv2dBackwardWeights(p, x, dy, dw[0], null);
                    b.conv2dBackwardData(p, w, dy, dx[0]);
                    b.conv2dBackwardData(p, w, dy, dx[1]);
                    b.conv2dBackwardWeights(p, x, dy, dw[1], null);
                    b.binary(BinaryOp.MUL, dy, in.of(Shape.SCALAR, -0.5), dy);
                    b.conv2dBackwardData(p, w, dy, dx[2]);
                    return outputs(dw[0], dx[0], dx[1], dw[1], dx[2]);
                });
    }

    /** One memory of filters, seen with other numbers of filters and channels in turn, each often enough to be kept. */
    private void filterAndView() {
        add("a filter and a view of it in turn", 9 * 32, (b, in) -> {
            Conv2dParams p = Conv2dParams.of(1, 1);
            Tensor[] w = {in.normal(32, 3, 3, 16), null};
            w[1] = w[0].reshape(16, 3, 3, 32);
            Tensor[] x = {in.normal(3, 13, 14, 16), in.normal(3, 13, 14, 32)};
            Tensor[] y = new Tensor[10];
            for (int i = 0; i < y.length; i++) {
                int k = (i + 1) / 2 % 2; // the one twice, the other twice
                y[i] = in.room(x[1 - k].shape());
                if (i < 5) b.conv2d(p, x[k], w[k], null, null, y[i]);
                else b.conv2dBackwardData(p, w[1 - k], x[k], y[i]);
            }
            return outputs(y);
        });
    }

    private void changedFilter(int n, int c) {
        add("a filter of " + c + " channels changed between two calls", 9 * c, (b, in) -> {
            Conv2dParams p = Conv2dParams.of(1, 1);
            Tensor x = in.normal(n, 13, 7, c);
            Tensor w = in.normal(28, 3, 3, c);
            Tensor first = in.room(n, 13, 7, 28);
            Tensor second = in.room(n, 13, 7, 28);
            Tensor dx = in.room(n, 13, 7, c);
            b.conv2d(p, x, w, null, null, first);
            b.conv2dBackwardData(p, w, first, dx);
            b.binary(BinaryOp.MUL, w, in.of(Shape.SCALAR, -0.5), w);
            b.conv2d(p, x, w, null, null, second);
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
                b.conv2d(p, x, in.normal(filter.toArray()), bias ? in.normal(k) : null, null, y);
                return outputs(y);
            });
            add("conv2d and more " + label, r * s * c / p.groups(), (b, in) -> {
                Tensor y = in.room(result);
                Tensor x = in.normal(image.toArray());
                Tensor filters = in.normal(filter.toArray());
                b.conv2d(p, x, filters, bias ? in.normal(k) : null, in.normal(result.toArray()), y);
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
        norm(new int[] {2, 24, 24, 44}, 4, false, true, true);
    }

    private void norm(int[] shape, int groups, boolean affine, boolean conditioned, boolean silu) {
        NormParams p = new NormParams(groups, 1e-5, silu);
        int n = shape[0];
        int c = shape[shape.length - 1];
        int length = Shape.of(shape).size() / (n * c);
        String name = "groupNorm " + Arrays.toString(shape) + " groups " + groups + (affine ? " affine" : "")
                + (conditioned ? " scale-shift" : "") + (silu ? " silu" : "");
        for (int kind = 0; kind < 6; kind++) {
            int others = kind % 3;
            boolean more = others > 0;
            Mask mask = kind / 3 == 1 ? new Mask(0.75, 11, 8) : null;
            String label = name + (more ? " offset, " + others + " before" : "") + (mask == null ? "" : " dropout");
            add(label, length * c / groups * (affine ? n : 1), (b, in) -> {
                Tensor x = in.normal(shape);
                b.binary(BinaryOp.ADD, x, in.of(Shape.SCALAR, 0.75), x); // a mean that is not 0
                Tensor gamma = affine ? in.exact().normal(c) : null;
                Tensor beta = affine ? in.exact().normal(c) : null;
                Tensor scale = conditioned ? in.exact().normal(n, c) : null;
                Tensor shift = conditioned ? in.exact().normal(n, c) : null;
                Tensor y = in.room(shape);
                Tensor mean = in.exact().room(n, groups);
                Tensor rstd = in.exact().room(n, groups);
                Tensor offset = more ? in.exact().normal(n, c) : null;
                b.groupNorm(p, mask, new NormInputs(x, offset, gamma, beta, scale, shift), y, mean, rstd);
                Tensor dx = in.room(shape);
                Tensor doffset = more ? in.exact().room(n, c) : null;
                Tensor dgamma = affine ? in.exact().room(c) : null;
                Tensor dbeta = affine ? in.exact().room(c) : null;
                Tensor dscale = conditioned ? in.exact().room(n, c) : null;
                Tensor dshift = conditioned ? in.exact().room(n, c) : null;
                Tensor[] before = new Tensor[others];
                if (others > 0) before[0] = in.normal(shape);
                Tensor dy = in.normal(shape);
                if (others > 1) before[1] = in.normal(shape);
                b.groupNormBackward(
                        p,
                        mask,
                        new NormInputs(x, offset, gamma, beta, scale, shift),
                        mean,
                        rstd,
                        dy,
                        before,
                        new NormInputs(dx, doffset, dgamma, dbeta, dscale, dshift));
                List<Tensor> all = new ArrayList<>(List.of(y, mean, rstd, dx));
                if (affine) all.addAll(List.of(dgamma, dbeta));
                if (more && c > 2 * groups) all.add(doffset); // else it is 0, or next to it
                if (conditioned) all.addAll(List.of(dscale, dshift));
                return all.toArray(Tensor[]::new);
            });
        }
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
        int[][] sizes = {{1, 1, 1, 5}, {2, 49, 4, 32}, {1, 91, 1, 8}, {2, 13, 3, 5}, {1, 16, 4, 28}, {1, 9, 3, 48}
        }; // N, L, heads, d
        for (int[] size : sizes) attention(size[0], size[1], size[2], size[3]);
    }

    private void attention(int n, int length, int heads, int d) {
        String size = Arrays.toString(new int[] {n, length, heads, d});
        AttentionParams p = new AttentionParams(heads, 1 / Math.sqrt(d));
        add("attention " + size, length * d, (b, in) -> {
            Tensor qkv = in.normal(n, length, 3 * heads * d);
            Tensor y = in.room(n, length, heads * d);
            Tensor logSum = in.exact().room(n, heads, length);
            Tensor dqkv = in.room(qkv.shape());
            b.attention(p, qkv, y, logSum);
            b.attentionBackward(p, qkv, y, logSum, in.normal(n, length, heads * d), dqkv);
            return outputs(y, logSum, dqkv);
        });
        add("linearAttention " + size, length * d, (b, in) -> {
            Tensor qkv = in.normal(n, length, 3 * heads * d);
            Tensor y = in.room(n, length, heads * d);
            Tensor context = in.room(n, heads, d, d);
            Tensor logSum = in.exact().room(n, heads * d);
            Tensor dqkv = in.room(qkv.shape());
            b.linearAttention(p, qkv, null, y, context, logSum);
            b.linearAttentionBackward(p, qkv, null, context, logSum, in.normal(n, length, heads * d), dqkv, null);
            return outputs(y, context, logSum, dqkv);
        });
        int channels = 5 + 12 * heads;
        add("linearAttention of a projection " + size, n * length * d, (b, in) -> {
            Tensor x = in.normal(n, length, channels);
            Tensor w = in.normal(3 * heads * d, channels);
            b.binary(BinaryOp.MUL, w, in.of(Shape.SCALAR, 0.25), w);
            Tensor y = in.room(n, length, heads * d);
            Tensor context = in.room(n, heads, d, d);
            Tensor logSum = in.exact().room(n, heads * d);
            Tensor dx = in.room(x.shape());
            Tensor dw = in.room(w.shape());
            b.linearAttention(p, x, w, y, context, logSum);
            b.linearAttentionBackward(p, x, w, context, logSum, in.normal(n, length, heads * d), dx, dw);
            return outputs(y, context, logSum, dx, dw);
        });
    }
}
