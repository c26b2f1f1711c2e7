package ddpm.unet;

import static autograd.ops.Attention.attention;
import static autograd.ops.Reshape.reshape;
import static autograd.ops.Scale.scale;

import autograd.Variable;
import nn.GroupNorm;
import nn.Init;
import nn.Layer;
import nn.Linear;
import tensor.Shape;

/**
 * The attention of {@link UNet2D}: {@code y = (x + out(softmax(q kᵀ / √d) v)) / scale}, with q, k, v linear in norm(x),
 * each head of d channels by itself. Where d does not divide the width, the heads together are narrower.
 *
 * <p>Names: {@code group_norm, to_q, to_k, to_v, to_out.0}. x [N,H,W,C] → same shape.
 */
final class UNet2DAttention extends Layer {
    private final GroupNorm norm;
    private final Linear q;
    private final Linear k;
    private final Linear v;
    private final Linear out;
    private final int heads;
    private final int headWidth;
    private final double divisor;

    /** Attention over {@code channels}; a norm of 0 groups is none. */
    UNet2DAttention(UNet2DConfig config, Init init, int channels, int groups, double divisor) {
        this.divisor = divisor;
        headWidth = config.headWidth() == 0 ? channels : config.headWidth();
        heads = channels / headWidth;
        int hidden = heads * headWidth;
        norm = groups == 0 ? null : child("group_norm", new GroupNorm(init, groups, channels, config.eps()));
        q = child("to_q", new Linear(init, channels, hidden));
        k = child("to_k", new Linear(init, channels, hidden));
        v = child("to_v", new Linear(init, channels, hidden));
        out = child("to_out.0", new Linear(UNet2D.last(config, init), hidden, channels));
    }

    Variable forward(Variable x) {
        return local("attention", () -> {
            Shape s = x.shape();
            Variable tokens =
                    reshape(norm == null ? x : norm.forward(x), s.get(0), s.get(1) * s.get(2), s.get(3)); // [N,H·W,C]
            Variable qkv = Linear.sideBySide(tokens, q, k, v);
            Variable mixed = attention(qkv, heads, 1 / Math.sqrt(headWidth));
            Variable y = out.onto(x, reshape(mixed, s.get(0), s.get(1), s.get(2), heads * headWidth));
            return divisor == 1 ? y : scale(y, 1 / divisor);
        });
    }
}
