package bench.libtorch;

import java.util.List;
import java.util.function.Supplier;
import org.bytedeco.pytorch.BoolOptional;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorVector;
import org.bytedeco.pytorch.global.torch;
import tensor.backend.AttentionParams;
import tensor.backend.NormInputs;
import tensor.backend.NormParams;

/** Gradients by libtorch's autograd: the forward pass is recorded once and swept over and over. */
final class LibtorchGradients {
    private final LibtorchKernels kernels;

    LibtorchGradients(LibtorchKernels kernels) {
        this.kernels = kernels;
    }

    private static Runnable sweep(List<Tensor> inputs, Supplier<Tensor> forward, Tensor dy) {
        inputs.forEach(x -> x.requires_grad_(true));
        TensorVector x = new TensorVector(inputs.toArray(new Tensor[0]));
        TensorVector y = new TensorVector(forward.get());
        TensorVector dys = new TensorVector(dy);
        return () -> torch.grad(y, x, dys, new BoolOptional(true), false, false);
    }

    /** p, mask, inputs, mean, rstd, dy, before, gradients. */
    Runnable groupNorm(Object[] a) {
        NormInputs ours = (NormInputs) a[2];
        if (a[1] != null || ours.offset() != null || ((Object[]) a[6]).length > 0) return null;
        GroupNormInputs in = new GroupNormInputs(kernels, (NormParams) a[0], ours);
        return sweep(in.all(), in::forward, kernels.image(a[5]));
    }

    /** p, qkv, y, logSum, dy, dqkv. */
    Runnable attention(Object[] a) {
        AttentionParams p = (AttentionParams) a[0];
        Tensor qkv = LibtorchKernels.plain(a[1]);
        Tensor dy = LibtorchKernels.plain(a[4]); // [N, L, heads·d]
        long width = dy.size(2) / p.heads();
        Tensor dyOfHeads = dy.reshape(dy.size(0), dy.size(1), p.heads(), width)
                .transpose(1, 2)
                .contiguous();
        return sweep(List.of(qkv), () -> LibtorchKernels.attention(p, qkv), dyOfHeads);
    }

    /** p, x, w, context, logSum, dy, dx, dw. */
    Runnable linearAttention(Object[] a) {
        AttentionParams p = (AttentionParams) a[0];
        Tensor x = kernels.channelsFirst(LibtorchKernels.plain(a[1]));
        Tensor dy = kernels.channelsFirst(LibtorchKernels.plain(a[5]));
        if (a[2] == null) return sweep(List.of(x), () -> LibtorchKernels.linearAttention(p, x), dy);
        Tensor w = LibtorchKernels.plain(a[2]);
        return sweep(List.of(x, w), () -> LibtorchKernels.linearAttention(p, LibtorchKernels.projection(x, w)), dy);
    }
}
