package ddpm.unet;

import static autograd.ops.Add.add;
import static autograd.ops.Cast.like;
import static autograd.ops.Reshape.reshape;

import autograd.Variable;
import nn.GroupNorm;
import nn.Init;
import nn.LayerNorm;
import nn.UnaryLayer;
import tensor.Shape;

/** The norm of a generation: of the whole image, or each pixel's own. */
final class Norms {
    private static final double EPS = 1e-5;

    private Norms() {}

    static UnaryLayer of(AnnotatedConfig.Norm norm, Init init, int channels) {
        return switch (norm) {
            case IMAGE -> new GroupNorm(init, 1, channels, EPS);
            case PIXEL -> new LayerNorm(init, channels, EPS);
        };
    }

    /** The norm of x + offset, offset [N, C]. */
    static Variable forward(UnaryLayer norm, Variable x, Variable offset) {
        if (norm instanceof GroupNorm whole) return whole.forward(x, offset);
        Shape s = x.shape();
        return norm.forward(add(x, reshape(like(offset, x), s.get(0), 1, 1, s.get(3))));
    }
}
