package bench.libtorch;

import bench.kernel.KernelCall;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.function.Function;
import java.util.stream.IntStream;
import org.bytedeco.javacpp.BoolPointer;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.Adam;
import org.bytedeco.pytorch.AdamOptions;
import org.bytedeco.pytorch.LongArrayRefOptional;
import org.bytedeco.pytorch.NoGradGuard;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.ScalarTypeOptional;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorOptional;
import org.bytedeco.pytorch.TensorVector;
import org.bytedeco.pytorch.global.torch;
import tensor.DType;
import tensor.backend.AttentionParams;
import tensor.backend.BinaryOp;
import tensor.backend.Conv2dParams;
import tensor.backend.NormInputs;
import tensor.backend.NormParams;
import tensor.backend.ReduceOp;
import tensor.backend.Region;
import tensor.backend.UnaryOp;

/**
 * libtorch's way to do a backend call, on the same numbers: the one function it has for it where there is one, else what
 * its user would write; gradients of the latter by its own autograd ({@link LibtorchGradients}). Calls without a fair
 * counterpart have none.
 */
final class LibtorchKernels {
    private static final long[] ONE = {1, 1};
    private static final long[] ZERO = {0, 0};

    private final Layout layout;

    LibtorchKernels(Layout layout) {
        this.layout = layout;
    }

    /** The call in libtorch; every run makes and drops a result, as eager code does. */
    Optional<Runnable> of(KernelCall call) {
        Object[] a = call.arguments();
        Runnable body = switch (call.name()) {
            case "conv2d" -> convolution(a);
            case "conv2dBackwardData" -> backwardData(a);
            case "conv2dBackwardWeights" -> backwardWeights(a);
            case "matmul" -> matmul(a);
            case "unary" -> unary(a);
            case "binary" -> binary(a);
            case "reduce" -> reduce(a);
            case "copy" -> copy(a);
            case "cast" -> cast(a);
            case "groupNorm" -> groupNorm(a);
            case "groupNormBackward" -> new LibtorchGradients(this).groupNorm(a);
            case "attention" -> attention(a);
            case "attentionBackward" -> new LibtorchGradients(this).attention(a);
            case "linearAttention" -> linearAttention(a);
            case "adam" -> adam(a);
            case "linearAttentionBackward" -> new LibtorchGradients(this).linearAttention(a);
            default -> null;
        };
        if (body == null) return Optional.empty();
        boolean gradients = call.name().endsWith("Backward"); // by autograd, which needs to record
        return Optional.of(() -> {
            try (PointerScope scope = new PointerScope()) {
                if (gradients) body.run();
                else
                    try (NoGradGuard guard = new NoGradGuard()) {
                        body.run();
                    }
            }
        });
    }

    /** Our numbers, our shape, our type. */
    static Tensor plain(Object ours) {
        tensor.Tensor x = (tensor.Tensor) ours;
        long[] shape = Arrays.stream(x.shape().toArray()).asLongStream().toArray();
        return Libtorch.tensor(x.toFloats(), shape).to(type(x));
    }

    private static torch.ScalarType type(tensor.Tensor x) {
        return x.dtype() == DType.BF16 ? torch.ScalarType.BFloat16 : torch.ScalarType.Float;
    }

    /** [N,H,W,C] or [K,R,S,C] as libtorch's N, C, H, W in its layout; [N,L,C] as N, C, L. */
    Tensor image(Object ours) {
        if (((tensor.Tensor) ours).shape().rank() == 3) return channelsFirst(plain(ours));
        return layout.of(plain(ours).permute(0, 3, 1, 2));
    }

    static TensorOptional optional(Object ours) {
        return ours == null ? new TensorOptional() : new TensorOptional(plain(ours));
    }

    private static boolean lopsided(Conv2dParams p) {
        return p.top() != p.bottom() || p.left() != p.right();
    }

    private Runnable convolution(Object[] a) {
        Conv2dParams p = (Conv2dParams) a[0];
        if (lopsided(p) || a[4] != null) return null;
        Tensor x = image(a[1]);
        Tensor w = image(a[2]);
        TensorOptional bias = optional(a[3]);
        long[] stride = {p.stride(), p.stride()};
        long[] pad = {p.top(), p.left()};
        return () -> torch.conv2d(enlarged(p, x), w, bias, stride, pad, ONE, p.groups());
    }

    private static Tensor enlarged(Conv2dParams p, Tensor x) {
        return p.enlarge() == 1 ? x : torch.upsample_nearest2d(x, x.size(2) * p.enlarge(), x.size(3) * p.enlarge());
    }

    private Runnable backwardData(Object[] a) {
        return backward((Conv2dParams) a[0], image(a[3]), image(a[1]), image(a[2]), null, true);
    }

    private Runnable backwardWeights(Object[] a) {
        return backward((Conv2dParams) a[0], image(a[1]), image(a[3]), image(a[2]), (tensor.Tensor) a[4], false);
    }

    private static Runnable backward(Conv2dParams p, Tensor x, Tensor w, Tensor dy, tensor.Tensor dbias, boolean data) {
        if (lopsided(p)) return null;
        Tensor large = enlarged(p, x); // its tape has kept it
        long[] stride = {p.stride(), p.stride()};
        long[] pad = {p.top(), p.left()};
        LongArrayRefOptional bias = dbias == null ? new LongArrayRefOptional() : new LongArrayRefOptional(w.size(0));
        BoolPointer mask = new BoolPointer(3).put(0, data).put(1, !data).put(2, dbias != null);
        long[] small = {x.size(0), x.size(1), x.size(2), x.size(3)};
        long[] big = {large.size(2), large.size(3)};
        return () -> {
            Tensor dx = torch.convolution_backward(dy, large, w, bias, stride, pad, ONE, false, ZERO, p.groups(), mask)
                    .get0();
            if (data && p.enlarge() > 1) torch.upsample_nearest2d_backward(dx, big, small);
        };
    }

    private static Runnable matmul(Object[] arguments) {
        boolean tb = (Boolean) arguments[1];
        Tensor a = plain(arguments[2]);
        Tensor b = plain(arguments[3]);
        Tensor left = (Boolean) arguments[0] ? a.transpose(-2, -1) : a;
        if (tb && b.dim() == 2) {
            TensorOptional bias = optional(arguments[4]);
            return () -> torch.linear(left, b, bias);
        }
        if (arguments[4] != null) return null;
        Tensor right = tb ? b.transpose(-2, -1) : b;
        return () -> torch.matmul(left, right);
    }

    private static Runnable unary(Object[] a) {
        Tensor x = plain(a[1]);
        return switch ((UnaryOp) a[0]) {
            case SILU -> () -> torch.silu(x);
            case GELU -> () -> torch.gelu(x);
            case EXP -> () -> torch.exp(x);
            default -> null;
        };
    }

    private static Runnable binary(Object[] arguments) {
        Tensor a = plain(arguments[1]);
        Tensor b = plain(arguments[2]);
        return switch ((BinaryOp) arguments[0]) {
            case ADD -> () -> torch.add(a, b);
            case SUB -> () -> torch.sub(a, b);
            case MUL -> () -> torch.mul(a, b);
            case SILU_GRAD -> () -> torch.silu_backward(b, a);
            case GELU_GRAD -> () -> torch.gelu_backward(b, a);
            default -> null;
        };
    }

    private static Runnable reduce(Object[] a) {
        if (a[0] != ReduceOp.SUM) return null;
        Tensor x = plain(a[1]);
        int[] y = ((tensor.Tensor) a[2]).shape().toArray();
        long[] axes = IntStream.range(0, y.length)
                .filter(i -> y[i] == 1)
                .asLongStream()
                .toArray();
        return () -> x.sum(axes, true, new ScalarTypeOptional());
    }

    /** p, w, dw, m, v; its own m and v. */
    private static Runnable adam(Object[] a) {
        tensor.Tensor[] w = (tensor.Tensor[]) a[1];
        tensor.Tensor[] dw = (tensor.Tensor[]) a[2];
        Tensor[] parameters = new Tensor[w.length];
        for (int i = 0; i < w.length; i++) {
            parameters[i] = plain(w[i]).requires_grad_(true);
            parameters[i].mutable_grad().put(plain(dw[i]));
        }
        Adam adam = new Adam(new TensorVector(parameters), new AdamOptions(1e-3));
        return adam::step;
    }

    /** Of one tensor or of many; its autocast rounds weights one by one, too. */
    private static Runnable cast(Object[] a) {
        if (a[0] instanceof tensor.Tensor[] x) return all(x, (tensor.Tensor[]) a[1], LibtorchKernels::cast);
        Tensor x = plain(a[0]);
        torch.ScalarType to = type((tensor.Tensor) a[1]);
        return () -> x.to(to);
    }

    /** Of one region or of many, as where images are joined. */
    private static Runnable copy(Object[] a) {
        if (a[0] instanceof Region[] regions) return all(regions, (Region[]) a[1], LibtorchKernels::copy);
        Tensor from = strided((Region) a[0]);
        Tensor to = strided((Region) a[1]);
        return () -> to.copy_(from);
    }

    /** A call of many pairs, pair by pair. */
    private static Runnable all(Object[] from, Object[] to, Function<Object[], Runnable> one) {
        List<Runnable> each = IntStream.range(0, from.length)
                .mapToObj(i -> one.apply(new Object[] {from[i], to[i]}))
                .toList();
        return () -> each.forEach(Runnable::run);
    }

    private static Tensor strided(Region region) {
        long[] sizes = Arrays.stream(region.sizes()).asLongStream().toArray();
        return plain(region.tensor())
                .as_strided(sizes, region.strides(), new org.bytedeco.pytorch.LongOptional(region.offset()));
    }

    private Runnable groupNorm(Object[] a) {
        NormInputs ours = (NormInputs) a[2];
        if (a[1] != null || ours.offset() != null) return null; // dropout
        GroupNormInputs in = new GroupNormInputs(this, (NormParams) a[0], ours);
        return in::forward;
    }

    private static Runnable attention(Object[] a) {
        Tensor qkv = plain(a[1]);
        AttentionParams p = (AttentionParams) a[0];
        return () -> attention(p, qkv);
    }

    /** qkv [N, L, 3·heads·d]; its own fused attention. */
    static Tensor attention(AttentionParams p, Tensor qkv) {
        Tensor[] parts = heads(p, qkv);
        return torch.scaled_dot_product_attention(
                parts[0],
                parts[1],
                parts[2],
                new TensorOptional(),
                0,
                false,
                new org.bytedeco.pytorch.DoubleOptional(p.scale()),
                false);
    }

    private Runnable linearAttention(Object[] a) {
        Tensor x = channelsFirst(plain(a[1]));
        AttentionParams p = (AttentionParams) a[0];
        if (a[2] == null) return () -> linearAttention(p, x);
        Tensor w = plain(a[2]);
        return () -> linearAttention(p, projection(x, w));
    }

    /** x [N, C, L] by w [K, C]: the published code has a 1x1 convolution for it. */
    static Tensor projection(Tensor x, Tensor w) {
        return torch.conv2d(x.unsqueeze(-1), w.unsqueeze(-1).unsqueeze(-1)).squeeze(-1);
    }

    /** [N, L, C] as N, C, L: what a 1x1 convolution in this layout leaves. */
    Tensor channelsFirst(Tensor x) {
        Tensor turned = x.transpose(1, 2);
        return layout == Layout.CONTIGUOUS ? turned.contiguous() : turned;
    }

    /** qkv [N, 3·heads·d, L]; the published code, op for op. */
    static Tensor linearAttention(AttentionParams p, Tensor qkv) {
        long n = qkv.size(0);
        long length = qkv.size(2);
        long width = qkv.size(1) / 3 / p.heads();
        Tensor[] part = new Tensor[3];
        for (int i = 0; i < 3; i++)
            part[i] = qkv.narrow(1, i * p.heads() * width, p.heads() * width).reshape(n, p.heads(), width, length);
        Tensor q = part[0].softmax(-2).mul(new Scalar(p.scale()));
        Tensor k = part[1].softmax(-1);
        Tensor context = torch.matmul(k, part[2].transpose(-2, -1)); // [n, heads, d, d]
        return torch.matmul(context.transpose(-2, -1), q).reshape(n, p.heads() * width, length);
    }

    /** q, k, v [N, heads, L, d], strided. */
    private static Tensor[] heads(AttentionParams p, Tensor qkv) {
        long n = qkv.size(0);
        long length = qkv.size(1);
        long width = qkv.size(2) / 3 / p.heads();
        Tensor all = qkv.reshape(n, length, 3, p.heads(), width).permute(2, 0, 3, 1, 4);
        return new Tensor[] {all.select(0, 0), all.select(0, 1), all.select(0, 2)};
    }
}
