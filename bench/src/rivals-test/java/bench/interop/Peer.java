package bench.interop;

import bench.libtorch.Libtorch;
import ddpm.io.SafetensorsFile;
import ddpm.io.SafetensorsWriter;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorOptional;
import org.bytedeco.pytorch.TensorVector;
import org.bytedeco.pytorch.global.torch;

/**
 * A network made of libtorch's own layers: parameters by their names in PyTorch's {@code state_dict}, images [N,C,H,W].
 * Weights are random; what is unity or zero in a fresh network is moved a little, so that nothing hides behind it.
 */
abstract class Peer {
    private static final long[] ONE = {1, 1};

    private final Map<String, Tensor> parameters = new LinkedHashMap<>();

    /** x [N,C,H,W], t [N] → prediction [N,C',H,W]. */
    abstract Tensor forward(Tensor x, Tensor t);

    Map<String, Tensor> parameters() {
        return parameters;
    }

    long count() {
        return parameters.values().stream().mapToLong(Tensor::numel).sum();
    }

    /** Registers a tensor, drawn uniformly from around {@code centre}. */
    Tensor parameter(String name, double centre, double spread, long... shape) {
        Tensor drawn =
                torch.rand(shape).mul(s(2 * spread)).add(s(centre - spread)).detach();
        drawn.requires_grad_(true);
        if (parameters.put(name, drawn) != null) throw new IllegalStateException("twice: " + name);
        return drawn;
    }

    /** As a file in PyTorch's layout. */
    SafetensorsWriter toFile() {
        SafetensorsWriter writer = new SafetensorsWriter().metadata("format", "pt");
        parameters.forEach((name, p) -> {
            int[] shape = new int[(int) p.dim()];
            for (int i = 0; i < shape.length; i++) shape[i] = (int) p.size(i);
            writer.add(name, shape, () -> Libtorch.values(p));
        });
        return writer;
    }

    /** Takes every parameter from a file. */
    void fromFile(SafetensorsFile file) throws java.io.IOException {
        if (file.names().size() != parameters.size()) throw new AssertionError("another number of tensors");
        for (Map.Entry<String, Tensor> p : parameters.entrySet()) {
            Tensor value = Libtorch.tensor(file.floats(p.getKey()), sizes(p.getValue()));
            p.getValue().set_data(value);
        }
    }

    static long[] sizes(Tensor x) {
        long[] sizes = new long[(int) x.dim()];
        for (int i = 0; i < sizes.length; i++) sizes[i] = x.size(i);
        return sizes;
    }

    static Scalar s(double value) {
        return new Scalar(value);
    }

    /** A convolution's weight and bias by name. */
    final class Conv {
        private final Tensor w;
        private final TensorOptional b;
        private final int stride;
        private final int pad;
        private final int groups;

        Conv(String name, int in, int out, int kernel, int stride, int pad, int groups, boolean bias) {
            double bound = 1 / Math.sqrt((double) in / groups * kernel * kernel);
            w = parameter(name + ".weight", 0, bound, out, in / groups, kernel, kernel);
            b = bias ? new TensorOptional(parameter(name + ".bias", 0, bound, out)) : new TensorOptional();
            this.stride = stride;
            this.pad = pad;
            this.groups = groups;
        }

        Conv(String name, int in, int out, int kernel) {
            this(name, in, out, kernel, 1, kernel / 2, 1, true);
        }

        Tensor weight() {
            return w;
        }

        Tensor apply(Tensor x) {
            return apply(x, w);
        }

        Tensor apply(Tensor x, Tensor filter) {
            return torch.conv2d(x, filter, b, new long[] {stride, stride}, new long[] {pad, pad}, ONE, groups);
        }
    }

    /** A linear layer's weight and bias by name. */
    final class Linear {
        private final Tensor w;
        private final TensorOptional b;

        Linear(String name, int in, int out) {
            double bound = 1 / Math.sqrt(in);
            w = parameter(name + ".weight", 0, bound, out, in);
            b = new TensorOptional(parameter(name + ".bias", 0, bound, out));
        }

        Tensor apply(Tensor x) {
            return torch.linear(x, w, b);
        }
    }

    /** A group norm's weight and bias by name. */
    final class GroupNorm {
        private final TensorOptional w;
        private final TensorOptional b;
        private final int groups;
        private final double eps;

        GroupNorm(String name, int groups, int channels, double eps) {
            w = new TensorOptional(parameter(name + ".weight", 1, 0.2, channels));
            b = new TensorOptional(parameter(name + ".bias", 0, 0.2, channels));
            this.groups = groups;
            this.eps = eps;
        }

        Tensor apply(Tensor x) {
            return torch.group_norm(x, groups, w, b, eps, true);
        }
    }

    static Tensor cat(long axis, Tensor... parts) {
        return torch.cat(new TensorVector(parts), axis);
    }

    /** The parts of an axis, each as long as the first ones. */
    static Tensor[] chunk(Tensor x, int parts, long axis) {
        TensorVector all = x.chunk(parts, axis);
        List<Tensor> list = new ArrayList<>();
        for (int i = 0; i < parts; i++) list.add(all.get(i));
        return list.toArray(Tensor[]::new);
    }

    static Tensor einsum(String equation, Tensor a, Tensor b) {
        return torch.einsum(equation, new TensorVector(a, b));
    }

    static Tensor twice(Tensor x) {
        return torch.upsample_nearest2d(x, x.size(2) * 2, x.size(3) * 2);
    }

    /** b c (h 2) (w 2) → b (c 2 2) h w. */
    static Tensor folded(Tensor x) {
        long h = x.size(2) / 2;
        long w = x.size(3) / 2;
        return x.reshape(x.size(0), x.size(1), h, 2, w, 2)
                .permute(0, 1, 3, 5, 2, 4)
                .reshape(x.size(0), x.size(1) * 4, h, w);
    }

    /** sin and cos of t · exp(i · slope), i = 0 … half − 1. */
    static Tensor sinusoids(Tensor t, int half, double slope, boolean cosinesFirst) {
        Tensor f = torch.arange(s((double) half)).mul(s(slope)).exp();
        Tensor angle = t.unsqueeze(1).mul(f.unsqueeze(0));
        return cosinesFirst ? cat(1, angle.cos(), angle.sin()) : cat(1, angle.sin(), angle.cos());
    }
}
