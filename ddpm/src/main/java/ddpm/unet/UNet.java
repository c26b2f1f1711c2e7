package ddpm.unet;

import autograd.Variable;
import ddpm.diffusion.Denoiser;
import java.util.function.Supplier;
import nn.Init;
import nn.Layer;
import tensor.Rng;
import tensor.Shape;

/**
 * ε_θ(x_t, t): a network that goes down through smaller and smaller images and back up, with the features of the way
 * down joined in on the way up (Ronneberger et al. 2015), told the timestep in every block.
 */
public abstract class UNet extends Layer implements Denoiser {
    private final UNetConfig config;

    UNet(UNetConfig config) {
        this.config = config;
    }

    /**
     * Builds the network that a configuration describes; its parameters join the innermost scope.
     *
     * @param init how weights start
     * @param dropout stream of the dropout masks
     */
    public static UNet build(UNetConfig config, Init init, Supplier<Rng> dropout) {
        if (config instanceof UNet2DConfig unet2d)
            return new UNet2D(unet2d, init.rule() == Init.Rule.ZERO ? init : init.with(Init.Rule.FAN_AVERAGE), dropout);
        if (config instanceof LucidrainsConfig lucidrains) return new LucidrainsUNet(lucidrains, init, dropout);
        AnnotatedConfig annotated = (AnnotatedConfig) config;
        return switch (annotated.topology()) {
            case NOTEBOOK -> new NotebookUNet(annotated, init, dropout);
            case BLOG -> new BlogUNet(annotated, init, dropout);
        };
    }

    public UNetConfig config() {
        return config;
    }

    @Override
    public final Variable predict(Variable x, Variable t) {
        Shape shape = x.shape().expect(-1, config.height(), config.width(), config.channels());
        t.shape().expect(shape.get(0));
        return local("unet", () -> forward(x, t));
    }

    /** x [N,H,W,C], t [N] → [N,H,W,C]. */
    abstract Variable forward(Variable x, Variable t);
}
