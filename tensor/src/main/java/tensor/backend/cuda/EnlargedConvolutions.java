package tensor.backend.cuda;

import java.util.List;
import tensor.Shape;
import tensor.Tensor;
import tensor.backend.Conv2dParams;
import tensor.backend.Enlargement;
import tensor.backend.cuda.ConvolutionAlgorithm.Direction;
import tensor.memory.Buffer;
import tensor.memory.Scope;

/**
 * Convolutions of images in which every pixel stands 2x2 times. Of the 3x3 pixels that a filter sees there some are the same,
 * so their taps can be summed beforehand: at place (a, b) of a square a filter is one of 2x2 taps over the small image, of rows
 *
 * <pre>a = 0:  w₀ at i − 1, w₁ + w₂ at i          a = 1:  w₀ + w₁ at i, w₂ at i + 1          columns likewise</pre>
 *
 * All four places are one convolution with 4K filters, 4 taps instead of 9 for each pixel of y. What it makes, the strands
 * [N,H+1,W+1,4K], is woven into y, and a bias added on the way:
 *
 * <pre>y[2i + a, 2j + b, k] = bias[k] + z[…] + strands[i + a, j + b, (2a + b)·K + k]</pre>
 *
 * The gradients are the transposes of these steps, in the reverse order. Kernels in {@code native/src/main/cuda/enlarged.cu}.
 *
 * <p>Small images have too many strands beyond their edge; these, and other filters, are convolved with the large image.
 */
final class EnlargedConvolutions {
    private static final Conv2dParams USUAL = Conv2dParams.of(1, 1).enlarging(2);
    /** Rows and columns that x has at least. */
    private static final int LEAST = 8;

    private final Engine engine;
    private final Convolutions convolutions;

    EnlargedConvolutions(Engine engine, Convolutions convolutions) {
        this.engine = engine;
        this.convolutions = convolutions;
    }

    /** The strands of a gradient dy, valid for one version of it, and within one recording or outside. */
    private record Strands(Tensor strands, long version) implements AutoCloseable {
        @Override
        public void close() {
            strands.buffer().release();
        }
    }

    /** Whether strands are made; they are larger than y, and a tensor has a largest size. */
    private static boolean serves(Conv2dParams p, Shape x, Shape w) {
        boolean usual = p.equals(USUAL) && w.get(1) == 3 && w.get(2) == 3;
        long strands = 4L * x.get(0) * (x.get(1) + 1) * (x.get(2) + 1) * w.get(0);
        return usual && Math.min(x.get(1), x.get(2)) >= LEAST && strands <= Shape.MAX_SIZE;
    }

    /** The convolution that makes strands of x [N,H,W,C]. */
    private static Geometry geometry(Tensor x, int k) {
        int h = x.shape().get(1);
        int w = x.shape().get(2);
        return new Geometry(x.dtype(), x.shape().get(0), h, w, x.shape().get(3), 4 * k, 2, 2, h + 1, w + 1, 1, 1, 1, 1);
    }

    /** The shape of strands for y [N,2H,2W,K]. */
    private static Shape strands(Shape y) {
        return Shape.of(y.get(0), y.get(1) / 2 + 1, y.get(2) / 2 + 1, 4 * y.get(3));
    }

    /** That of the filters [4K,2,2,C] for w [K,3,3,C]. */
    private static Shape summed(Shape w) {
        return Shape.of(4 * w.get(0), 2, 2, w.get(3));
    }

    /** {@link Convolutions#forward}. */
    void forward(Conv2dParams p, Tensor x, Tensor w, Tensor bias, Tensor z, Tensor y) {
        x.buffer().block();
        try (Scope scope = Scope.open("enlarged")) {
            if (!serves(p, x.shape(), w.shape())) {
                Tensor large = Enlargement.forward(x.backend(), x, p.enlarge());
                convolutions.forward(p.enlarging(1), large, w, bias, z, y);
                return;
            }
            Tensor strands = y.empty(strands(y.shape()));
            Geometry g = geometry(x, w.shape().get(0));
            convolutions.run(Direction.FORWARD, g, x, summed(w), null, null, strands);
            Launch launch = engine.launch(Kernel.WEAVE, y.dtype())
                    .tensor(strands)
                    .tensor(bias)
                    .tensor(z)
                    .tensor(y);
            sizes(launch, y).flat(y.shape().size());
        }
    }

    /** {@link Convolutions#data}. */
    void data(Conv2dParams p, Tensor w, Tensor dy, Tensor dx) {
        try (Scope scope = Scope.open("enlarged")) {
            if (!serves(p, dx.shape(), w.shape())) {
                Tensor large = dx.empty(Enlargement.shape(dx.shape(), p.enlarge()));
                convolutions.data(p.enlarging(1), w, dy, large);
                Enlargement.backward(dx.backend(), large, dx);
                return;
            }
            Tensor strands = takeStrands(dy);
            Geometry g = geometry(dx, w.shape().get(0));
            convolutions.run(Direction.DATA, g, dx, summed(w), null, null, strands);
        }
    }

    /** {@link Convolutions#weights}; the strands of dy are made at once and left for {@link #data}. */
    void weights(Conv2dParams p, Tensor x, Tensor dy, Tensor dw, Tensor dbias) {
        x.buffer().block();
        try (Scope scope = Scope.open("enlarged")) {
            if (!serves(p, x.shape(), dw.shape())) {
                Tensor large = Enlargement.forward(x.backend(), x, p.enlarge());
                convolutions.weights(p.enlarging(1), large, dy, dw, dbias);
                return;
            }
            Tensor strands = unweave(dy);
            leave(strands, dy);
            Geometry g = geometry(x, dw.shape().get(0));
            List<Buffer> reads = List.of(x.buffer(), dy.buffer(), strands.buffer());
            Runnable calls = () -> {
                weights(g, x, strands, dw);
                convolutions.biases(dy, dbias);
            };
            convolutions.weights(convolutions.isFound(Direction.FILTER, g), calls, reads, dw, dbias);
        }
    }

    private void weights(Geometry g, Tensor x, Tensor strands, Tensor dw) {
        try (Scope scope = Scope.open("taps")) {
            Tensor summed = dw.empty(summed(dw.shape()));
            convolutions.run(Direction.FILTER, g, x, summed, null, null, strands);
            taps(Kernel.SPREAD_TAPS, summed, dw, dw.shape());
        }
    }

    private Tensor summed(Tensor w) {
        Tensor summed = w.empty(summed(w.shape()));
        taps(Kernel.SUM_TAPS, w, summed, w.shape());
        return summed;
    }

    private void taps(Kernel kernel, Tensor from, Tensor to, Shape w) {
        engine.launch(kernel, to.dtype())
                .tensor(from)
                .tensor(to)
                .integer(w.get(0))
                .integer(w.get(3))
                .flat((long) w.get(0) * w.get(3));
    }

    private Tensor unweave(Tensor dy) {
        Tensor strands = dy.empty(strands(dy.shape()));
        Launch launch = engine.launch(Kernel.UNWEAVE, dy.dtype()).tensor(dy).tensor(strands);
        sizes(launch, dy).flat(strands.shape().size());
        return strands;
    }

    /** Images, rows and columns of the small image, filters. */
    private static Launch sizes(Launch launch, Tensor y) {
        Shape s = y.shape();
        return launch.integer(s.get(0))
                .integer(s.get(1) / 2)
                .integer(s.get(2) / 2)
                .integer(s.get(3));
    }

    /** Leaves the strands with dy, unless that outlives the recording that they are part of. */
    private void leave(Tensor strands, Tensor dy) {
        Buffer buffer = dy.buffer();
        if (!engine.owns(buffer)) return;
        strands.buffer().retain();
        buffer.companion(new Strands(strands, buffer.version()));
    }

    /** Those that were left with dy, for the innermost scope, or new ones. */
    private Tensor takeStrands(Tensor dy) {
        Buffer buffer = dy.buffer();
        if (!(buffer.companion() instanceof Strands left)) return unweave(dy);
        Scope.innermost().own(left.strands.buffer().retain());
        buffer.companion(null);
        boolean valid = left.version == buffer.version()
                && engine.owns(left.strands.buffer())
                && left.strands.shape().equals(strands(dy.shape()));
        return valid ? left.strands : unweave(dy);
    }
}
