package bench.libtorch;

import java.util.ArrayList;
import java.util.List;
import java.util.stream.LongStream;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.ScalarTypeOptional;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorOptional;
import org.bytedeco.pytorch.global.torch;
import tensor.backend.NormInputs;
import tensor.backend.NormParams;

/**
 * Group norm, scale, shift and SiLU in libtorch: four calls, for it has no fused one. Without gain and shift it is the
 * standardisation of filters, as the published code writes that.
 */
final class GroupNormInputs {
    final NormParams params;
    final Tensor x;
    /** [C], or {@code null} both. */
    final Tensor gamma;

    final Tensor beta;
    /** [N,C,1,1] or [N,C,1], or {@code null} both. */
    final Tensor scale;

    final Tensor shift;

    GroupNormInputs(LibtorchKernels kernels, NormParams params, NormInputs ours) {
        this.params = params;
        x = kernels.image(ours.x());
        gamma = ours.gamma() == null ? null : LibtorchKernels.plain(ours.gamma());
        beta = ours.beta() == null ? null : LibtorchKernels.plain(ours.beta());
        scale = ofEachImage(ours.scale());
        shift = ofEachImage(ours.shift());
    }

    /** In the type of x, in which a linear layer under autocast would leave it; ours keeps it exact. */
    private Tensor ofEachImage(Object ours) {
        if (ours == null) return null;
        Tensor y = LibtorchKernels.plain(ours).to(x.scalar_type());
        while (y.dim() < x.dim()) y = y.unsqueeze(-1);
        return y;
    }

    private static TensorOptional optional(Tensor x) {
        return x == null ? new TensorOptional() : new TensorOptional(x);
    }

    List<Tensor> all() {
        List<Tensor> all = new ArrayList<>(List.of(x));
        if (gamma != null) all.addAll(List.of(gamma, beta));
        if (scale != null) all.addAll(List.of(scale, shift));
        return all;
    }

    Tensor forward() {
        if (gamma == null) return standardized();
        Tensor y = torch.group_norm(x, params.groups(), optional(gamma), optional(beta), params.eps(), true);
        if (scale != null) y = y.mul(scale.add(new Scalar(1.0))).add(shift);
        return params.silu() ? torch.silu(y) : y;
    }

    private Tensor standardized() {
        long[] axes = LongStream.range(1, x.dim()).toArray();
        Tensor mean = x.mean(axes, true, new ScalarTypeOptional());
        Tensor variance = x.var(axes, false, true);
        return x.sub(mean).mul(variance.add(new Scalar(params.eps())).rsqrt());
    }
}
