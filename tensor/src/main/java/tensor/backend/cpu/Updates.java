package tensor.backend.cpu;

import static tensor.backend.cpu.Layers.address;
import static tensor.backend.cpu.Layers.half;

import java.util.Arrays;
import java.util.stream.IntStream;
import nativelib.Kernels;
import tensor.Tensor;
import tensor.backend.AdamParams;

/**
 * What happens to all parameters at once: addresses and sizes for the kernels, which know gradients of one type, so that halves
 * and floats are two calls. Arguments have been checked.
 */
final class Updates {
    private static final boolean[] HALF_OR_NOT = {false, true};

    private Updates() {}

    static void adam(AdamParams p, Tensor[] w, Tensor[] dw, Tensor[] m, Tensor[] v) {
        for (boolean half : HALF_OR_NOT) {
            Tensor[] slopes = those(half, dw, dw);
            if (slopes.length == 0) continue;
            Tensor[] values = those(half, dw, w);
            Kernels.adam(
                    half,
                    p.learningRate(),
                    p.beta1(),
                    p.beta2(),
                    p.eps(),
                    p.weightDecay(),
                    p.decoupled(),
                    p.step(),
                    p.gradientScale(),
                    addresses(values),
                    addresses(slopes),
                    addresses(those(half, dw, m)),
                    addresses(those(half, dw, v)),
                    sizes(values));
        }
    }

    static void exponentialAverage(double decay, Tensor[] average, Tensor[] w) {
        Kernels.exponentialAverage(decay, addresses(average), addresses(w), sizes(w));
    }

    static double sumOfSquares(Tensor[] x) {
        double sum = 0;
        for (boolean half : HALF_OR_NOT) {
            Tensor[] those = those(half, x, x);
            if (those.length > 0) sum += Kernels.sumOfSquares(half, addresses(those), sizes(those));
        }
        return sum;
    }

    /** Those of {@code all} whose gradients are halves, or those whose gradients are not. */
    private static Tensor[] those(boolean half, Tensor[] dw, Tensor[] all) {
        return IntStream.range(0, dw.length)
                .filter(i -> half(dw[i]) == half)
                .mapToObj(i -> all[i])
                .toArray(Tensor[]::new);
    }

    private static long[] addresses(Tensor[] tensors) {
        return Arrays.stream(tensors).mapToLong(t -> address(t)).toArray();
    }

    private static long[] sizes(Tensor[] tensors) {
        return Arrays.stream(tensors).mapToLong(t -> t.shape().size()).toArray();
    }
}
