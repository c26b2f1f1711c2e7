package ddpm.diffusion;

import autograd.Variable;
import tensor.Shape;
import tensor.Tensor;
import tensor.backend.BinaryOp;
import tensor.backend.ReduceOp;
import tensor.backend.Region;
import tensor.backend.UnaryOp;

/**
 * Classifier-free guidance (Ho and Salimans 2022): away from what the network says without the label, towards and beyond
 * what it says with it.
 *
 * <pre>g = u + s (c − u)      s = 1: the label alone; s &gt; 1: more typical, less varied
 * y = φ g · std(c)/std(g) + (1 − φ) g      the rescaling of Lin et al. 2023, §3.4, each image by itself</pre>
 *
 * Linear in the prediction, so it means the same for every {@link Target}. Learned variances are those with the label.
 */
public final class ClassifierFreeGuidance implements Denoiser {
    private final Denoiser with;
    private final Denoiser without;
    private final int channels;
    private final double scale;
    private final double rescale;

    /**
     * A guided network.
     *
     * @param with told the label
     * @param without told none
     * @param channels those of an image; any further ones of an output are variances
     * @param scale s, at least 0
     * @param rescale φ in [0, 1]; 0 for none
     */
    public ClassifierFreeGuidance(Denoiser with, Denoiser without, int channels, double scale, double rescale) {
        if (!(scale >= 0 && rescale >= 0 && rescale <= 1))
            throw new IllegalArgumentException(
                    "guidance needs a scale of at least 0 and a rescale in 0..1, not " + scale + ", " + rescale);
        this.with = with;
        this.without = without;
        this.channels = channels;
        this.scale = scale;
        this.rescale = rescale;
    }

    @Override
    public Variable predict(Variable x, Variable t) {
        Tensor c = with.predict(x, t).value();
        Tensor u = without.predict(x, t).value();
        Tensor y = c.emptyLike().set_(c);
        Region prediction = Region.of(y).slice(3, 0, channels);
        Tensor labelled = copy(c);
        Tensor guided = copy(u).add(labelled.sub(copy(u)).mul(scale));
        if (rescale > 0) {
            Tensor ratio = deviation(labelled).div(deviation(guided));
            guided = guided.mul(ratio.mul(rescale).add(1 - rescale));
        }
        y.backend().copy(Region.of(guided), prediction);
        return Variable.constant(y);
    }

    private Tensor copy(Tensor output) {
        Tensor part = output.empty(output.shape().with(3, channels));
        output.backend().copy(Region.of(output).slice(3, 0, channels), Region.of(part));
        return part;
    }

    /** The standard deviation over each image: [N,H,W,C] → [N,1,1,1]. */
    private static Tensor deviation(Tensor x) {
        Shape one = Shape.of(x.shape().get(0), 1, 1, 1);
        double share = (double) one.size() / x.shape().size();
        Tensor centred = x.map(BinaryOp.SUB, x.reduce(ReduceOp.SUM, one).mul(share));
        return centred.map(UnaryOp.SQUARE).reduce(ReduceOp.SUM, one).mul(share).map(UnaryOp.SQRT);
    }
}
