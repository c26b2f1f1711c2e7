package ddpm.unet;

import autograd.Variable;
import java.util.function.Supplier;
import nn.Init;
import nn.Layer;
import tensor.Rng;

/** A residual block of a U-Net: features [N,H,W,in] and a time embedding to features [N,H,W,out]. */
abstract class Block extends Layer {
    /**
     * The kind of block that the configuration asks for.
     *
     * @param timeWidth width of the time embedding; 0 makes a block that is not told the time
     */
    static Block of(AnnotatedConfig config, Init init, int in, int out, int timeWidth, Supplier<Rng> dropout) {
        return switch (config.block()) {
            case CONVNEXT -> new ConvNextBlock(config, init, in, out, timeWidth);
            case RESNET -> new ResnetBlock(config, init, in, out, timeWidth, dropout);
        };
    }

    /** x [N,H,W,in], t [N, timeWidth] (unused without time) → [N,H,W,out]. */
    final Variable forward(Variable x, Variable t) {
        return local("block", () -> compute(x, t));
    }

    abstract Variable compute(Variable x, Variable t);
}
