package bench.kernel;

import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import nativelib.OneDnn;
import tensor.DType;
import tensor.Shape;
import tensor.Tensor;
import tensor.backend.Conv2dParams;

/**
 * The same computation by oneDNN alone: addresses and shapes are worked out beforehand, no tensor is looked at, nothing is
 * checked. What the backend needs beyond this is the engine's overhead.
 */
public final class RawOneDnn implements AutoCloseable {
    private final List<Long> filters = new ArrayList<>();

    /** The bare call, or nothing when oneDNN has no part in it or not the only one. */
    public Optional<Runnable> of(KernelCall call) {
        Object[] a = call.arguments();
        if (a[0] instanceof Conv2dParams p && p.enlarge() > 1) return Optional.empty();
        return Optional.ofNullable(
                switch (call.name()) {
                    case "conv2d" -> a[4] == null ? convolution(a) : null;
                    case "conv2dBackwardData" -> backwardData(a);
                    case "conv2dBackwardWeights" -> backwardWeights(a);
                    case "matmul" -> matmul(a);
                    default -> null;
                });
    }

    private Runnable convolution(Object[] a) {
        boolean half = half(a[1]);
        int[] geometry = geometry((Conv2dParams) a[0], shape(a[1]), shape(a[2]), shape(a[5]));
        long x = address(a[1]);
        long w = address(a[2]);
        long bias = address(a[3]);
        long y = address(a[5]);
        long packed = filter();
        return () -> OneDnn.convolution(half, geometry, x, w, bias, y, packed, 0);
    }

    private Runnable backwardData(Object[] a) {
        boolean half = half(a[1]);
        int[] geometry = geometry((Conv2dParams) a[0], shape(a[3]), shape(a[1]), shape(a[2]));
        long w = address(a[1]);
        long dy = address(a[2]);
        long dx = address(a[3]);
        long packed = filter();
        return () -> OneDnn.convolutionBackwardData(half, geometry, w, dy, dx, packed, 0);
    }

    private Runnable backwardWeights(Object[] a) {
        boolean half = half(a[1]);
        int[] geometry = geometry((Conv2dParams) a[0], shape(a[1]), shape(a[3]), shape(a[2]));
        long x = address(a[1]);
        long dy = address(a[2]);
        long dw = address(a[3]);
        long dbias = address(a[4]);
        return () -> OneDnn.convolutionBackwardWeights(half, geometry, x, dy, dw, dbias);
    }

    private Runnable matmul(Object[] arguments) {
        boolean half = half(arguments[2]);
        boolean ta = (Boolean) arguments[0];
        boolean tb = (Boolean) arguments[1];
        Shape as = shape(arguments[2]);
        Shape bs = shape(arguments[3]);
        Shape ys = shape(arguments[5]);
        int m = ys.get(-2);
        int n = ys.get(-1);
        int inner = as.get(ta ? -2 : -1);
        int batch = ys.size() / (m * n);
        boolean aShared = batch > 1 && as.rank() == 2;
        boolean bShared = batch > 1 && bs.rank() == 2;
        long a = address(arguments[2]);
        long b = address(arguments[3]);
        long bias = address(arguments[4]);
        long y = address(arguments[5]);
        return () -> OneDnn.matmul(half, batch, m, n, inner, ta, tb, aShared, bShared, a, b, bias, y);
    }

    /** A store for the copies of one filter. */
    private long filter() {
        filters.add(OneDnn.newPackedFilters());
        return filters.get(filters.size() - 1);
    }

    private static int[] geometry(Conv2dParams p, Shape x, Shape w, Shape y) {
        return new int[] {
            x.get(0),
            x.get(1),
            x.get(2),
            x.get(3),
            w.get(0),
            w.get(1),
            w.get(2),
            y.get(1),
            y.get(2),
            p.stride(),
            p.top(),
            p.left(),
            p.bottom(),
            p.right(),
            p.groups()
        };
    }

    private static boolean half(Object tensor) {
        return ((Tensor) tensor).dtype() == DType.BF16;
    }

    private static Shape shape(Object tensor) {
        return ((Tensor) tensor).shape();
    }

    private static long address(Object tensor) {
        return tensor == null ? 0 : ((Tensor) tensor).buffer().address();
    }

    @Override
    public void close() {
        filters.forEach(OneDnn::freePackedFilters);
    }
}
