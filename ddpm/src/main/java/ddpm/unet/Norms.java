package ddpm.unet;

import nn.GroupNorm;
import nn.Init;
import nn.LayerNorm;
import nn.UnaryLayer;

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
}
