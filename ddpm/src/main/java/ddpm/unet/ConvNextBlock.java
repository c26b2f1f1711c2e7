package ddpm.unet;

import static autograd.ops.Pointwise.gelu;

import autograd.Variable;
import nn.Conv2d;
import nn.Init;
import nn.Linear;
import nn.UnaryLayer;
import tensor.backend.Conv2dParams;

/**
 * The notebook's block, after ConvNeXt (Liu et al. 2022): a depthwise 7x7 convolution looks around, two 3x3 convolutions
 * through a greater width mix.
 *
 * <pre>h = depthwise₇(x) + W gelu(t)
 * y = conv₂(norm₂(gelu(conv₁(norm₁ h)))) + R x      norms over the whole image, or each pixel's own</pre>
 *
 * Names: {@code mlp.1, ds_conv, net.0, net.1, net.3, net.4, res_conv}.
 */
final class ConvNextBlock extends Block {
    /** This block's place among the projections of the time; −1 for none. */
    private final int place;

    private final Conv2d depthwise;
    private final UnaryLayer norm1;
    private final Conv2d conv1;
    private final UnaryLayer norm2;
    private final Conv2d conv2;
    private final Conv2d shortcut;

    ConvNextBlock(AnnotatedConfig config, Init init, int in, int out, TimeProjections times) {
        Linear time = times == null ? null : child("mlp.1", new Linear(init, times.width(), in));
        depthwise = child("ds_conv", new Conv2d(init, in, in, 7, Conv2dParams.depthwise(3, in), true));
        place = times == null ? -1 : times.add(time, depthwise);
        int inner = config.widen() * out;
        norm1 = child("net.0", Norms.of(config.norm(), init, in));
        conv1 = child("net.1", new Conv2d(init, in, inner, 3, 1, 1));
        norm2 = child("net.3", Norms.of(config.norm(), init, inner));
        conv2 = child("net.4", new Conv2d(last(config, init), inner, out, 3, 1, 1));
        shortcut = in == out ? null : child("res_conv", new Conv2d(init, in, out, 1, 1, 0));
    }

    private static Init last(AnnotatedConfig config, Init init) {
        return config.zeroInit() ? init.with(Init.Rule.ZERO) : init;
    }

    @Override
    Variable compute(Variable x, Variable[] times) {
        Variable h = place < 0
                ? norm1.forward(depthwise.forward(x))
                : Norms.forward(norm1, depthwise.withoutBias(x), times[place]);
        h = norm2.forward(gelu(conv1.forward(h)));
        return shortcut == null ? conv2.onto(x, h) : Conv2d.sum(conv2, h, shortcut, x);
    }
}
