package autograd.check;

import static autograd.check.OpCase.Input.exact;
import static autograd.check.OpCase.Input.of;

import autograd.check.OpCase.Function;
import autograd.check.OpCase.Input;
import autograd.ops.Add;
import autograd.ops.Attention;
import autograd.ops.Concat;
import autograd.ops.Conv2d;
import autograd.ops.ConvTranspose2d;
import autograd.ops.GroupNorm;
import autograd.ops.Linear;
import autograd.ops.LinearAttention;
import autograd.ops.Pointwise;
import autograd.ops.SpaceToDepth;
import autograd.ops.Standardize;
import java.util.ArrayList;
import java.util.List;
import tensor.Shape;
import tensor.backend.Conv2dParams;
import tensor.backend.NormParams;
import tensor.backend.UnaryOp;

/**
 * Ops in the shapes that the published networks train with, for benchmarks; far too large for the tests, which read
 * {@link OpCatalogue}. What costs a network more than a thirtieth of its work has a case here. Names begin with the network:
 * {@code convnext} (the notebook's, batch 128), {@code resnet} (its blog's, batch 128), {@code cifar} (Ho et al. 2020,
 * batch 16); then comes width @ side.
 */
public final class NetworkCases {
    private static final int HEADS = 4;
    private static final int HEAD_WIDTH = 32;
    private static final int QKV = 3 * HEADS * HEAD_WIDTH;

    private final List<OpCase> cases = new ArrayList<>();
    private final int images;
    private String network;
    private int batch;

    private NetworkCases(int images) {
        this.images = images;
        resnet();
        convnext();
        cifar();
    }

    /** All cases. */
    public static List<OpCase> all() {
        return ofBatch(0);
    }

    /** All cases with this many images; 0 for as many as the network trains with. */
    public static List<OpCase> ofBatch(int images) {
        return List.copyOf(new NetworkCases(images).cases);
    }

    private void network(String name, int own) {
        network = name;
        batch = images > 0 ? images : own;
    }

    private void resnet() {
        network("resnet", 128);
        for (int[] c : new int[][] { // in, out, side
            {28, 28, 28},
            {56, 28, 28},
            {28, 28, 14},
            {56, 56, 14},
            {84, 56, 14},
            {112, 56, 14},
            {56, 56, 7},
            {56, 112, 7},
            {112, 112, 7},
            {168, 112, 7}
        }) convolution(3, 1, 1, c[0], c[1], c[2]);
        enlarging(56, 28, 14);
        for (int[] c : new int[][] {
            {28, QKV, 28},
            {128, 28, 28},
            {56, 28, 28},
            {128, 56, 14},
            {112, QKV, 7},
            {128, 112, 7}
        }) convolution(1, 1, 0, c[0], c[1], c[2]);
        for (int[] c : new int[][] {{28, 28}, {56, 14}, {112, 7}}) {
            norm(4, true, true, c[0], c[1]);
            norm(4, true, false, c[0], c[1]);
            norm(1, false, false, c[0], c[1]);
            linearAttention(c[0], c[1]);
        }
        attention(7);
        add("Standardize", "3x3, 112 to 112", 0, x -> Standardize.standardize(x[0], 1e-5), of(112, 3, 3, 112));
        movement(28, 28);
        add("SpaceToDepth", "28 @ 28", 0, x -> SpaceToDepth.spaceToDepth(x[0], 2), of(batch, 28, 28, 28));
    }

    private void convnext() {
        network("convnext", 128);
        convolution(7, 1, 3, 1, 18, 28);
        for (int[] c : new int[][] {{18, 28}, {28, 28}, {28, 14}, {56, 14}, {56, 7}, {112, 7}}) depthwise(c[0], c[1]);
        for (int[] c : new int[][] {
            {18, 56, 28}, {28, 56, 28}, {56, 28, 28}, {28, 112, 14}, {56, 112, 14}, {112, 56, 14}, {112, 28, 14},
            {56, 56, 14}, {56, 28, 14}, {56, 224, 7}, {112, 224, 7}, {224, 112, 7}, {224, 56, 7}, {112, 112, 7},
            {112, 56, 7}
        }) convolution(3, 1, 1, c[0], c[1], c[2]);
        for (int[] c : new int[][] {{56, 28, 28}, {112, 56, 14}, {112, 28, 14}, {224, 112, 7}, {224, 56, 7}})
            around(c[0], c[1], c[2]);
        convolution(4, 2, 1, 28, 28, 28);
        convolution(4, 2, 1, 56, 56, 14);
        transposed(28, 14);
        transposed(56, 7);
        norm(1, false, false, 56, 28);
        norm(1, false, false, 112, 14);
        Function gelu = x -> Pointwise.of(UnaryOp.GELU, x[0]);
        add("Pointwise", "GELU 56 @ 28", 0, gelu, of(batch, 28, 28, 56));
        linearAttention(56, 14);
    }

    private void cifar() {
        network("cifar", 16);
        for (int[] c : new int[][] {
            {128, 128, 32}, {256, 128, 32}, {384, 128, 32}, {256, 256, 32}, {128, 256, 16}, {256, 256, 16},
            {384, 256, 16}, {512, 256, 16}, {256, 256, 8}, {512, 256, 8}, {256, 256, 4}, {512, 256, 4}
        }) convolution(3, 1, 1, c[0], c[1], c[2]);
        for (int[] c : new int[][] {{128, 32}, {256, 16}, {256, 8}, {256, 4}}) around(c[0], c[0], c[1]);
        for (int side : new int[] {4, 8, 16}) enlarging(256, 256, side);
        convolution(1, 1, 0, 256, 128, 32);
        convolution(1, 1, 0, 512, 256, 16);
        for (int[] c : new int[][] {{128, 32}, {256, 32}, {256, 16}, {512, 16}, {256, 8}})
            norm(32, true, false, c[0], c[1]);
        add(
                "Linear",
                "256 to 256, 256 positions",
                2L * batch * 256 * 256 * 256,
                x -> Linear.linear(x[0], x[1], x[2]),
                of(batch, 256, 256),
                of(256, 256),
                of(256));
        add(
                "Attention",
                "256 positions, 1 head of 256",
                4L * batch * 256 * 256 * 256,
                x -> Attention.attention(x[0], 1, 1.0 / 16),
                of(batch, 256, 3 * 256));
        movement(128, 32);
        movement(256, 16);
    }

    private void add(String op, String name, long flop, Function function, Input... inputs) {
        cases.add(new OpCase(op, network + ", " + name, function, List.of(inputs), flop));
    }

    private void convolution(int kernel, int stride, int pad, int in, int out, int side) {
        Conv2dParams p = Conv2dParams.of(stride, pad);
        Input x = of(batch, side, side, in);
        Input w = of(out, kernel, kernel, in).within(-0.1, 0.1);
        long flop = 2L * p.outputShape(x.shape(), w.shape()).size() * kernel * kernel * in;
        String name = kernel + "x" + kernel + (stride == 1 ? "" : " stride " + stride) + ", " + in + " to " + out
                + " @ " + side;
        add("Conv2d", name, flop, v -> Conv2d.conv2d(p, v[0], v[1], v[2]), x, w, of(out));
    }

    /** The 3x3 convolution at the end of a residual block, which is added to what it goes around. */
    private void around(int in, int out, int side) {
        add(
                "Conv2d",
                "3x3 and more, " + in + " to " + out + " @ " + side,
                2L * batch * side * side * out * 9 * in,
                v -> Conv2d.conv2d(Conv2dParams.of(1, 1), v[0], v[1], v[2], v[3]),
                of(batch, side, side, in),
                of(out, 3, 3, in).within(-0.1, 0.1),
                of(out),
                of(batch, side, side, out));
    }

    /** A 3x3 convolution that sees every pixel 2x2 times. */
    private void enlarging(int in, int out, int side) {
        add(
                "Conv2d",
                "3x3 enlarging, " + in + " to " + out + " @ " + side,
                2L * batch * 4 * side * side * out * 9 * in,
                v -> Conv2d.conv2d(Conv2dParams.of(1, 1).enlarging(2), v[0], v[1], v[2]),
                of(batch, side, side, in),
                of(out, 3, 3, in).within(-0.1, 0.1),
                of(out));
    }

    private void depthwise(int channels, int side) {
        Conv2dParams p = Conv2dParams.depthwise(3, channels);
        add(
                "Conv2d",
                "depthwise 7x7, " + channels + " @ " + side,
                2L * batch * side * side * channels * 49,
                v -> Conv2d.conv2d(p, v[0], v[1], v[2]),
                of(batch, side, side, channels),
                of(channels, 7, 7, 1).within(-0.1, 0.1),
                of(channels));
    }

    private void transposed(int channels, int side) {
        Conv2dParams p = Conv2dParams.of(2, 1);
        add(
                "ConvTranspose2d",
                "4x4 stride 2, " + channels + " @ " + side,
                2L * batch * side * side * channels * channels * 16,
                v -> ConvTranspose2d.convTranspose2d(p, v[0], v[1], v[2]),
                of(batch, side, side, channels),
                of(channels, 4, 4, channels).within(-0.1, 0.1),
                of(channels));
    }

    private void norm(int groups, boolean silu, boolean timed, int channels, int side) {
        NormParams p = new NormParams(groups, 1e-5, silu);
        Input x = of(batch, side, side, channels);
        String name = groups + (groups == 1 ? " group" : " groups") + (silu ? ", SiLU" : "")
                + (timed ? ", scale and shift" : "") + ", " + channels + " @ " + side;
        Input c = exact(channels);
        if (!timed) add("GroupNorm", name, 0, v -> GroupNorm.groupNorm(p, v[0], v[1], v[2]), x, c, c);
        else {
            Input nc = exact(batch, channels);
            add("GroupNorm", name, 0, v -> GroupNorm.groupNorm(p, v[0], v[1], v[2], v[3], v[4]), x, c, c, nc, nc);
        }
    }

    private void attention(int side) {
        long length = (long) side * side;
        add(
                "Attention",
                length + " positions, " + HEADS + " heads of " + HEAD_WIDTH,
                4L * batch * length * HEADS * HEAD_WIDTH * length,
                x -> Attention.attention(x[0], HEADS, 1 / Math.sqrt(HEAD_WIDTH)),
                of(batch, (int) length, QKV));
    }

    /** With the projection of an image of so many channels. */
    private void linearAttention(int channels, int side) {
        long length = (long) side * side;
        add(
                "LinearAttention",
                length + " positions, " + HEADS + " heads of " + HEAD_WIDTH + " from " + channels + " channels",
                2L * batch * length * (2L * HEADS * HEAD_WIDTH * HEAD_WIDTH + (long) QKV * channels),
                x -> LinearAttention.linearAttention(x[0], x[1], HEADS, 1 / Math.sqrt(HEAD_WIDTH)),
                of(batch, (int) length, channels),
                of(QKV, channels));
    }

    /** What moves an activation about. */
    private void movement(int channels, int side) {
        Shape image = Shape.of(batch, side, side, channels);
        Input x = new Input(image, -1.5, 1.5, Input.Role.VALUE);
        String name = channels + " @ " + side;
        add("Add", name, 0, v -> Add.add(v[0], v[1]), x, x);
        add("Add", "to each image, " + name, 0, v -> Add.add(v[0], v[1]), x, of(batch, 1, 1, channels));
        add("Concat", "two, " + name, 0, v -> Concat.concat(3, v[0], v[1]), x, x);
    }
}
