package bench.gpu;

import bench.Work;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import tensor.Shape;
import tensor.backend.Conv2dParams;
import tensor.backend.Precision;

/**
 * A backend call that one call of cuDNN or cuBLAS computes, at a network's shape: no bias, stride 1, padding that keeps the
 * size.
 *
 * @param kind which call
 * @param shape its shape, in words
 * @param precision how it is computed
 * @param x images [N,H,W,C]; the left factor [B,M,K]; the input of softmax, whose rows are normalised, or of a norm
 * @param w filters [K,R,S,C]; the right factor [B,K,N], [B,N,K] or [K,N]; of softmax and norm, the same as x
 */
public record GpuCall(Kind kind, String shape, Precision precision, Shape x, Shape w) {
    /** Names as in {@link tensor.backend.Backend}; a product may take its right factor transposed. */
    public enum Kind {
        CONV2D("conv2d"),
        CONV2D_BACKWARD_DATA("conv2dBackwardData"),
        CONV2D_BACKWARD_WEIGHTS("conv2dBackwardWeights"),
        MATMUL("matmul"),
        MATMUL_TRANSPOSED("matmul transposed"),
        SOFTMAX("softmax"),
        SOFTMAX_BACKWARD("softmaxBackward"),
        GROUP_NORM("groupNorm"),
        GROUP_NORM_BACKWARD("groupNormBackward");

        private final String text;

        Kind(String text) {
            this.text = text;
        }

        boolean isConvolution() {
            return ordinal() <= CONV2D_BACKWARD_WEIGHTS.ordinal();
        }

        boolean isProduct() {
            return this == MATMUL || this == MATMUL_TRANSPOSED;
        }

        boolean isNorm() {
            return this == GROUP_NORM || this == GROUP_NORM_BACKWARD;
        }
    }

    private static final List<Kind> CONVOLUTIONS =
            List.of(Kind.CONV2D, Kind.CONV2D_BACKWARD_DATA, Kind.CONV2D_BACKWARD_WEIGHTS);

    /**
     * The calls that are measured: those of {@code ddpm-cifar10} and {@code annotated} at batch 128 that cost most. The large
     * ones do not fit the 50 MB of cache that an H100 has.
     */
    public static List<GpuCall> all() {
        List<GpuCall> calls = new ArrayList<>();
        for (Precision precision : List.of(Precision.TF32, Precision.BF16)) {
            convolutions(calls, CONVOLUTIONS, precision, 128, 3, 128, 128, 32);
            convolutions(calls, CONVOLUTIONS, precision, 128, 3, 256, 256, 16);
            convolutions(calls, List.of(Kind.CONV2D), precision, 128, 1, 256, 128, 32);
            convolutions(calls, CONVOLUTIONS, precision, 128, 3, 28, 28, 28);
            convolutions(calls, List.of(Kind.CONV2D), precision, 128, 3, 112, 112, 7);
            attention(calls, precision, 128, 256, 256);
            norms(calls, precision, 128, 84, 28);
        }
        return calls;
    }

    /** The same calls at shapes that a processor computes in no time, for the stand-ins; cuDNN's and cuBLAS's names stay. */
    public static List<GpuCall> small() {
        List<GpuCall> calls = new ArrayList<>();
        for (Precision precision : Precision.values()) {
            convolutions(calls, CONVOLUTIONS, precision, 2, 3, 8, 16, 6);
            convolutions(calls, CONVOLUTIONS, precision, 2, 3, 3, 16, 6);
            convolutions(calls, CONVOLUTIONS, precision, 2, 3, 16, 3, 6);
            convolutions(calls, List.of(Kind.CONV2D), precision, 2, 1, 16, 8, 6);
            attention(calls, precision, 2, 12, 8);
            norms(calls, precision, 2, 8, 6);
        }
        return calls;
    }

    /**
     * A call by its name.
     *
     * @throws IllegalArgumentException when there is none
     */
    public static GpuCall named(String name) {
        for (List<GpuCall> calls : List.of(all(), small()))
            for (GpuCall call : calls) if (call.toString().equals(name)) return call;
        throw new IllegalArgumentException("no call is named \"" + name + "\"");
    }

    private static void convolutions(
            List<GpuCall> to, List<Kind> kinds, Precision precision, int n, int kernel, int in, int out, int side) {
        String shape = String.format(Locale.ROOT, "%dx%d, %d to %d @ %d", kernel, kernel, in, out, side);
        for (Kind kind : kinds)
            to.add(new GpuCall(kind, shape, precision, Shape.of(n, side, side, in), Shape.of(out, kernel, kernel, in)));
    }

    /** The products of an attention over {@code length} positions, its softmax and its projection. */
    private static void attention(List<GpuCall> to, Precision precision, int n, int length, int width) {
        Shape images = Shape.of(n, length, width);
        Shape scores = Shape.of(n, length, length);
        String size = length + " positions of " + width;
        to.add(new GpuCall(Kind.MATMUL_TRANSPOSED, "scores, " + size, precision, images, images));
        to.add(new GpuCall(Kind.MATMUL, "values, " + size, precision, scores, images));
        to.add(new GpuCall(Kind.MATMUL, "projection, " + size, precision, images, Shape.of(width, width)));
        to.add(new GpuCall(Kind.SOFTMAX, "rows of " + length, precision, scores, scores));
        to.add(new GpuCall(Kind.SOFTMAX_BACKWARD, "rows of " + length, precision, scores, scores));
    }

    /** Norms over whole images, in one group. */
    private static void norms(List<GpuCall> to, Precision precision, int n, int channels, int side) {
        Shape images = Shape.of(n, side, side, channels);
        for (Kind kind : List.of(Kind.GROUP_NORM, Kind.GROUP_NORM_BACKWARD))
            to.add(new GpuCall(kind, "images of " + channels + " @ " + side, precision, images, images));
    }

    /** The name without the precision. */
    public String name() {
        return kind.text + " " + shape;
    }

    /** How a convolution moves. */
    Conv2dParams params() {
        return Conv2dParams.of(1, w.get(1) / 2);
    }

    /** The third shape: of what a forward call computes. */
    Shape y() {
        return switch (kind) {
            case CONV2D, CONV2D_BACKWARD_DATA, CONV2D_BACKWARD_WEIGHTS -> params().outputShape(x, w);
            case MATMUL -> Shape.of(x.get(0), x.get(1), w.get(-1));
            case MATMUL_TRANSPOSED -> Shape.of(x.get(0), x.get(1), w.get(-2));
            case SOFTMAX, SOFTMAX_BACKWARD, GROUP_NORM, GROUP_NORM_BACKWARD -> x;
        };
    }

    /** What has to be done at least, operations as in {@link Work}. */
    public Work work() {
        double flop = kind.isConvolution()
                ? 2.0 * y().size() * w.size() / w.get(0)
                : kind.isProduct() ? 2.0 * y().size() * x.get(-1) : 0;
        double elements =
                x.size() + (double) y().size() + (kind == Kind.SOFTMAX || kind == Kind.GROUP_NORM ? 0 : w.size());
        return new Work(flop, elements * precision.compute().bytes());
    }

    @Override
    public String toString() {
        return name() + ", " + precision;
    }
}
