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
        Variable c = with.predict(x, t);
        Variable u = without.predict(x, t);
        Tensor labelled = prediction(c);
        Tensor plain = prediction(u);
        Tensor guided = plain.add(labelled.sub(plain).mul(scale));
        if (rescale > 0) {
            Tensor ratio = deviation(labelled).div(deviation(guided));
            guided = guided.mul(ratio.mul(rescale).add(1 - rescale));
        }
        Tensor y = c.value().emptyLike().set_(c.value());
        y.backend().copy(Region.of(guided), Region.of(y).slice(3, 0, channels));
        return Variable.constant(y);
    }

    private Tensor prediction(Variable output) {
        return Output.of(output, channels).prediction().value();
    }

    /** The standard deviation over each image: [N,H,W,C] → [N,1,1,1]. */
    private static Tensor deviation(Tensor x) {
        Shape one = Shape.of(x.shape().get(0), 1, 1, 1);
        double share = (double) one.size() / x.shape().size();
        Tensor centred = x.map(BinaryOp.SUB, x.reduce(ReduceOp.SUM, one).mul(share));
        return centred.map(UnaryOp.SQUARE).reduce(ReduceOp.SUM, one).mul(share).map(UnaryOp.SQRT);
    }
}
