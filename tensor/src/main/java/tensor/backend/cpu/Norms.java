package tensor.backend.cpu;

import static tensor.backend.cpu.Layers.address;
import static tensor.backend.cpu.Layers.half;

import nativelib.Kernels;
import tensor.Tensor;
import tensor.backend.NormInputs;
import tensor.backend.NormParams;

/** Group norm by our own kernels: shapes become numbers, tensors addresses. Arguments have been checked. */
final class Norms {
    private Norms() {}

    static void forward(NormParams p, NormInputs in, Tensor y, Tensor mean, Tensor rstd) {
        Kernels.groupNorm(
                half(y),
                images(y),
                length(y),
                channels(y),
                p.groups(),
                (float) p.eps(),
                p.silu(),
                address(in.x()),
                address(in.offset()),
                address(in.gamma()),
                address(in.beta()),
                address(in.scale()),
                address(in.shift()),
                address(y),
                address(mean),
                address(rstd));
    }

    static void backward(
            NormParams p, NormInputs in, Tensor mean, Tensor rstd, Tensor dy, Tensor[] before, NormInputs d) {
        Kernels.groupNormBackward(
                half(dy),
                images(dy),
                length(dy),
                channels(dy),
                p.groups(),
                p.silu(),
                address(in.x()),
                address(in.offset()),
                address(in.gamma()),
                address(in.beta()),
                address(in.scale()),
                address(in.shift()),
                address(mean),
                address(rstd),
                address(dy),
                address(before.length > 0 ? before[0] : null),
                address(before.length > 1 ? before[1] : null),
                address(d.x()),
                address(d.offset()),
                address(d.gamma()),
                address(d.beta()),
                address(d.scale()),
                address(d.shift()));
    }

    private static int images(Tensor x) {
        return x.shape().get(0);
    }

    private static int length(Tensor x) {
        return x.shape().size() / images(x) / channels(x);
    }

    private static int channels(Tensor x) {
        return x.shape().get(-1);
    }
}
