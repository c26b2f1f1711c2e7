package ddpm.unet;

import autograd.Variable;
import java.util.function.Supplier;
import nn.Init;
import nn.Layer;
import tensor.Rng;

/** A residual block of a U-Net: features [N,H,W,in] and the time to features [N,H,W,out]. */
abstract class Block extends Layer {
    /**
     * The kind of block that the configuration asks for.
     *
     * @param times tells the blocks the time; {@code null} makes a block that is not told
     */
    static Block of(AnnotatedConfig config, Init init, int in, int out, TimeProjections times, Supplier<Rng> dropout) {
        return switch (config.block()) {
            case CONVNEXT -> new ConvNextBlock(config, init, in, out, times);
            case RESNET -> new ResnetBlock(config, init, in, out, times, dropout);
        };
    }

    /** What tells such blocks the time, from an embedding of this width. */
    static TimeProjections times(AnnotatedConfig config, int width) {
        return new TimeProjections(
                width,
                switch (config.block()) {
                    case CONVNEXT -> Activation.GELU;
                    case RESNET -> Activation.SILU;
                });
    }

    /** x [N,H,W,in], the projections of the time for all blocks (unused without time) → [N,H,W,out]. */
    final Variable forward(Variable x, Variable[] times) {
        return local("block", () -> compute(x, times));
    }

    abstract Variable compute(Variable x, Variable[] times);
}
