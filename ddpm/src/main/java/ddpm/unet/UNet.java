package ddpm.unet;

import static autograd.ops.Add.add;
import static autograd.ops.Cast.cast;
import static autograd.ops.Cast.like;

import autograd.Variable;
import ddpm.diffusion.Denoiser;
import java.util.function.Supplier;
import nn.Embedding;
import nn.Init;
import nn.Layer;
import tensor.DType;
import tensor.Rng;
import tensor.Shape;
import tensor.Tensor;

/**
 * ε_θ(x_t, t): a network that goes down through smaller and smaller images and back up, with the features of the way
 * down joined in on the way up (Ronneberger et al. 2015), told the timestep in every block.
 */
public abstract class UNet extends Layer implements Denoiser {
    private final UNetConfig config;
    private final Ports ports;
    /** The type of the values inside; what goes in and comes out is as exact as the parameters. */
    private final DType compute;

    private final Embedding classes;

    UNet(UNetConfig config, Ports ports, Init init, int timeWidth) {
        this.config = config;
        this.ports = ports;
        compute = init.dtype() == DType.F32 ? init.backend().precision().compute() : init.dtype();
        classes = ports.classes() == 0
                ? null
                : child("class_embedding", new Embedding(init, ports.classes() + 1, timeWidth));
    }

    /** A network that is told x_t and t alone. */
    public static UNet build(UNetConfig config, Init init, Supplier<Rng> dropout) {
        return build(config, Ports.PLAIN, init, dropout);
    }

    /**
     * Builds the network that a configuration describes; its parameters join the innermost scope.
     *
     * @param ports what else goes in and out
     * @param init how weights start
     * @param dropout stream of the dropout masks
     */
    public static UNet build(UNetConfig config, Ports ports, Init init, Supplier<Rng> dropout) {
        if (config instanceof UNet2DConfig unet2d)
            return new UNet2D(
                    unet2d, ports, init.rule() == Init.Rule.ZERO ? init : init.with(Init.Rule.FAN_AVERAGE), dropout);
        if (config instanceof LucidrainsConfig lucidrains) return new LucidrainsUNet(lucidrains, ports, init, dropout);
        AnnotatedConfig annotated = (AnnotatedConfig) config;
        return switch (annotated.topology()) {
            case NOTEBOOK -> new NotebookUNet(annotated, ports, init, dropout);
            case BLOG -> new BlogUNet(annotated, ports, init, dropout);
        };
    }

    /** What goes in and out beside x_t, t and the prediction. */
    public Ports ports() {
        return ports;
    }

    /** Channels of the first convolution's input. */
    public final int inputs() {
        return config.channels() + ports.given();
    }

    /** Channels of the last convolution's output: twice those of an image where variances are said too. */
    public final int outputs() {
        return ports.variances() ? 2 * config.channels() : config.outChannels();
    }

    public UNetConfig config() {
        return config;
    }

    /** Without labels: a network that knows classes is told "none". */
    @Override
    public final Variable predict(Variable x, Variable t) {
        return predict(
                x, t, classes == null ? null : Variable.constant(t.value().fullLike(ports.classes())));
    }

    /** Makes predictions between which no parameter changes, so that they are rounded to the type of the layers once for all. */
    public final <R> R unchanged(Supplier<R> predictions) {
        return rounded(compute, predictions);
    }

    /** This network, told the class of each image: labels [N] in 0 … classes; the last means "none". */
    public final Denoiser told(Tensor labels) {
        return (x, t) -> predict(x, t, Variable.constant(labels));
    }

    private Variable predict(Variable x, Variable t, Variable labels) {
        Shape shape = x.shape().expect(-1, config.height(), config.width(), inputs());
        t.shape().expect(shape.get(0));
        return local("unet", () -> like(rounded(compute, () -> forward(cast(x, compute), t, labels)), x));
    }

    /** The time embedding [N, its width], to which that of the class is added. */
    final Variable told(Variable time, Variable labels) {
        return classes == null ? time : add(time, classes.forward(labels));
    }

    /** x [N,H,W,inputs], t [N], labels [N] or {@code null} → [N,H,W,outputs]. */
    abstract Variable forward(Variable x, Variable t, Variable labels);
}
