package bench.libtorch;

import java.util.ArrayList;
import java.util.List;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorOptional;
import org.bytedeco.pytorch.global.torch;
import tensor.backend.NormParams;

/** Group norm, scale, shift and SiLU in libtorch: four calls, for it has no fused one. */
final class GroupNormInputs {
    final NormParams params;
    final Tensor x;
    final Tensor gamma;
    final Tensor beta;
    /** [N,C,1,1], or {@code null} both. */
    final Tensor scale;

    final Tensor shift;

    /** From p, x, gamma, beta, scale, shift. */
    GroupNormInputs(LibtorchKernels kernels, Object[] a) {
        params = (NormParams) a[0];
        x = kernels.image(a[1]);
        gamma = LibtorchKernels.plain(a[2]);
        beta = LibtorchKernels.plain(a[3]);
        scale = a[4] == null ? null : LibtorchKernels.plain(a[4]).unsqueeze(-1).unsqueeze(-1);
        shift = a[5] == null ? null : LibtorchKernels.plain(a[5]).unsqueeze(-1).unsqueeze(-1);
    }

    List<Tensor> all() {
        List<Tensor> all = new ArrayList<>(List.of(x, gamma, beta));
        if (scale != null) all.addAll(List.of(scale, shift));
        return all;
    }

    Tensor forward() {
        Tensor y = torch.group_norm(
                x, params.groups(), new TensorOptional(gamma), new TensorOptional(beta), params.eps(), true);
        if (scale != null) y = y.mul(scale.add(new Scalar(1.0))).add(shift);
        return params.silu() ? torch.silu(y) : y;
    }
}
