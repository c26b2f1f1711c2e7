package bench;

import java.util.ArrayList;
import java.util.List;
import tensor.Tensor;
import tensor.backend.AttentionParams;
import tensor.backend.NormInputs;
import tensor.backend.Precision;
import tensor.backend.Projection;
import tensor.backend.Region;

/**
 * What a backend call has to do at least, whoever does it.
 *
 * <p>Operations are nominal: a multiply and an add are two, taps in the zero padding count, and what a backward pass
 * computes again does not. Only convolutions, products and attention have any; everything else is bound by memory. Bytes
 * count every argument once.
 *
 * @param flop floating-point operations
 * @param bytes bytes that must be read or written
 */
public record Work(double flop, double bytes) {
    /** The work of a call with these arguments. */
    public static Work of(String call, Object[] arguments) {
        List<Tensor> t = new ArrayList<>();
        double bytes = 0;
        for (Object argument : arguments) {
            if (argument instanceof Tensor x) {
                t.add(x);
                bytes += bytes(x);
            } else if (argument instanceof NormInputs in) {
                t.addAll(in.tensors());
                for (Tensor x : in.tensors()) bytes += bytes(x);
            } else if (argument instanceof Tensor[] many) {
                for (Tensor x : many) bytes += bytes(x);
            } else if (argument instanceof Region region) {
                bytes += bytes(region);
            } else if (argument instanceof Region[] many) {
                for (Region region : many) bytes += bytes(region);
            } else if (argument instanceof float[] values) {
                bytes += 4.0 * values.length;
            } else if (argument instanceof double[] values) {
                bytes += 8.0 * values.length;
            }
        }
        double flop = switch (call) {
            case "conv2d" -> convolution(t.get(1), t.get(t.size() - 1));
            case "conv2dBackwardData" -> convolution(t.get(0), t.get(1));
            case "conv2dBackwardWeights" -> convolution(t.get(2), t.get(1));
            case "matmul" ->
                2.0 * t.get(t.size() - 1).shape().size() * t.get(0).shape().get((Boolean) arguments[0] ? -2 : -1);
            case "attention" -> 4 * attention(arguments, t.get(0));
            case "attentionBackward" -> 8 * attention(arguments, t.get(0));
            case "linearAttention" -> linear(arguments, 1);
            case "linearAttentionBackward" -> linear(arguments, 2);
            default -> 0;
        };
        bytes += switch (call) {
            case "adam" ->
                bytes((Tensor[]) arguments[1]) + bytes((Tensor[]) arguments[3]) + bytes((Tensor[]) arguments[4]);
            case "exponentialAverage" -> bytes((Tensor[]) arguments[1]);
            default -> 0;
        };
        return new Work(flop, bytes);
    }

    /** w [K,R,S,C/groups], y [N,P,Q,K]. */
    private static double convolution(Tensor w, Tensor y) {
        return 2.0
                * y.shape().size()
                * w.shape().get(1)
                * w.shape().get(2)
                * w.shape().get(3);
    }

    /** Multiply-adds of one product: N·heads·L·L·d. */
    private static double attention(Object[] arguments, Tensor qkv) {
        AttentionParams p = (AttentionParams) arguments[0];
        double length = qkv.shape().get(1);
        return qkv.shape().get(0) * p.heads() * length * p.headWidth(qkv.shape()) * length;
    }

    /**
     * Two products of N·heads·L·d·d multiply-adds and the projection, each pass of a gradient as much again. What the
     * backward pass computes a second time does not count.
     */
    private static double linear(Object[] arguments, int passes) {
        AttentionParams p = (AttentionParams) arguments[0];
        Tensor x = (Tensor) arguments[1];
        Tensor w = (Tensor) arguments[2];
        double hidden = Projection.shape(x, w).get(2) / 3.0;
        double rows = (double) x.shape().get(0) * x.shape().get(1);
        double projection = w == null ? 0 : 3 * w.shape().get(1);
        return 2 * passes * rows * hidden * (2 * hidden / p.heads() + projection);
    }

    private static double bytes(Region region) {
        double bytes = region.tensor().dtype().bytes();
        for (int i = 0; i < region.sizes().length; i++) if (region.strides()[i] != 0) bytes *= region.sizes()[i];
        return bytes;
    }

    private static double bytes(Tensor x) {
        return (double) x.shape().size() * x.dtype().bytes();
    }

    private static double bytes(Tensor[] many) {
        double sum = 0;
        for (Tensor x : many) sum += bytes(x);
        return sum;
    }

    /** Seconds that a machine with these peaks needs at least when it multiplies in this precision. */
    public double seconds(Peaks peaks, Precision precision) {
        return Math.max(flop / peaks.flopPerSecond(precision), bytes / peaks.bytesPerSecond());
    }
}
