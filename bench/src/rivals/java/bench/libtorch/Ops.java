package bench.libtorch;

import org.bytedeco.javacpp.Pointer;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorOptional;
import org.bytedeco.pytorch.TensorVector;
import org.bytedeco.pytorch.global.torch;

/** libtorch's functions with fewer arguments. */
final class Ops {
    private static final long[] ONE = {1, 1};

    private Ops() {}

    /** Drops the Java side's reference now, as a C++ or Python temporary would be dropped. */
    static void free(Pointer... ps) {
        for (Pointer p : ps) if (p != null) p.deallocate();
    }

    static Tensor conv(Tensor x, Tensor w, TensorOptional b, int stride, int pad) {
        return torch.conv2d(x, w, b, new long[] {stride, stride}, new long[] {pad, pad}, ONE, 1);
    }

    static Tensor linear(Tensor x, Tensor w, TensorOptional b) {
        return torch.linear(x, w, b);
    }

    static Tensor einsum(String equation, Tensor a, Tensor b) {
        TensorVector v = new TensorVector(a, b);
        Tensor y = torch.einsum(equation, v);
        free(v);
        return y;
    }

    static Tensor bmm(Tensor a, Tensor b) {
        return torch.bmm(a, b);
    }

    static Tensor cat(Tensor a, Tensor b, int dim) {
        TensorVector v = new TensorVector(a, b);
        Tensor y = torch.cat(v, dim);
        free(v);
        return y;
    }

    static Scalar s(double v) {
        return new Scalar(v);
    }
}
