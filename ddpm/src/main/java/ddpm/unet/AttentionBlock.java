package ddpm.unet;

import static autograd.ops.Add.add;
import static autograd.ops.Attention.attention;
import static autograd.ops.LinearAttention.linearAttention;
import static autograd.ops.Reshape.reshape;

import autograd.Variable;
import nn.Conv2d;
import nn.Init;
import nn.Layer;
import nn.UnaryLayer;
import tensor.Shape;
import tensor.backend.Conv2dParams;

/**
 * {@code y = x + out(attention(qkv(norm x)))}: every position may look at every other. The norm is over the
 * image or each pixel's own; qkv and
 * out are 1x1 convolutions; 4 heads of 32. Channels last makes an image a sequence [N, H·W, C] without moving anything.
 *
 * <p>Linear attention costs H·W·d² instead of (H·W)²·d, so it can stand at full resolution, where qkv would be the largest
 * activation of the network: the projection is therefore made within. Its output is normalised once more.
 *
 * <p>Names: {@code fn.fn.to_qkv, fn.fn.to_out[.0, .1], fn.norm}.
 */
final class AttentionBlock extends Layer {
    private static final int HEADS = 4;
    private static final int HEAD_WIDTH = 32;
    private static final double SCALE = 1 / Math.sqrt(HEAD_WIDTH);

    private final boolean linear;
    private final Conv2d qkv;
    private final Conv2d out;
    private final UnaryLayer outNorm;
    private final UnaryLayer norm;

    AttentionBlock(AnnotatedConfig.Norm kind, Init init, int channels, boolean linear) {
        this.linear = linear;
        int hidden = HEADS * HEAD_WIDTH;
        qkv = child("fn.fn.to_qkv", new Conv2d(init, channels, 3 * hidden, 1, Conv2dParams.of(1, 0), false));
        out = child(linear ? "fn.fn.to_out.0" : "fn.fn.to_out", new Conv2d(init, hidden, channels, 1, 1, 0));
        outNorm = linear ? child("fn.fn.to_out.1", Norms.of(kind, init, channels)) : null;
        norm = child("fn.norm", Norms.of(kind, init, channels));
    }

    Variable forward(Variable x) {
        return local("attention", () -> {
            Shape s = x.shape();
            int n = s.get(0);
            int h = s.get(1);
            int w = s.get(2);
            Variable normal = norm.forward(x);
            Variable mixed;
            if (linear) {
                Variable tokens = reshape(normal, n, h * w, s.get(3));
                mixed = linearAttention(tokens, qkv.matrix(tokens), HEADS, SCALE);
            } else {
                mixed = attention(reshape(qkv.forward(normal), n, h * w, 3 * HEADS * HEAD_WIDTH), HEADS, SCALE);
            }
            Variable y = out.forward(reshape(mixed, n, h, w, HEADS * HEAD_WIDTH));
            return add(linear ? outNorm.forward(y) : y, x);
        });
    }
}
