package ddpm.diffusion;

import static autograd.ops.Add.add;
import static autograd.ops.Mul.mul;
import static autograd.ops.Scale.scale;

import autograd.Variable;
import tensor.Tensor;

/**
 * What training minimises, for each image (Algorithm 1, lines 2–5):
 *
 * <pre>simple   w_t · distance(truth, prediction)                              Ho et al. 2020, Eq. 14, w = 1
 * hybrid   simple + 0.001 · T · L_t, L_t trains the variances alone          Nichol and Dhariwal 2021, Eq. 16
 * bound    T · L_t: its mean over t is the variational bound (bits/dim)      Ho et al. 2020, Eq. 5</pre>
 *
 * w_t is 1, or with min-SNR weighting (Hang et al. 2023) min(snr, γ) as a weight on the error of x̂₀, which is
 * min(snr, γ)/snr for ε and min(snr, γ)/(snr + 1) for v.
 */
public final class Objective {
    private static final double HYBRID_WEIGHT = 0.001;

    /** The three. */
    public enum Kind {
        SIMPLE,
        HYBRID,
        BOUND
    }

    private final GaussianDiffusion diffusion;
    private final Kind kind;
    private final Target target;
    private final LossKind distance;
    private final VariationalBound bound;
    private final Tensor weights; // [T], or null for 1

    /**
     * An objective; its tables join the innermost scope.
     *
     * @param variance of the reverse steps, for the bound of a network that does not say it
     * @param minSnr γ; 0 for equal weights
     */
    public Objective(
            GaussianDiffusion diffusion,
            Kind kind,
            Target target,
            LossKind distance,
            AncestralSampler.Variance variance,
            double minSnr) {
        this.diffusion = diffusion;
        this.kind = kind;
        this.target = target;
        this.distance = distance;
        bound = kind == Kind.SIMPLE ? null : new VariationalBound(diffusion, variance);
        weights = minSnr == 0
                ? null
                : diffusion.table(t -> weight(target, diffusion.schedule().signalToNoise(t), minSnr));
    }

    static double weight(Target target, double snr, double gamma) {
        double limited = Math.min(snr, gamma);
        return switch (target) {
            case EPSILON -> limited / snr;
            case X0 -> limited;
            case V -> limited / (snr + 1);
        };
    }

    /** The loss of each image: x0, eps [N,H,W,C], t [N] → [N]; their mean over the batch is what is minimised. */
    public Variable losses(Denoiser network, Tensor x0, Tensor t, Tensor eps) {
        Tensor xt = diffusion.qSample(x0, t, eps);
        Variable y = network.predict(Variable.constant(xt), Variable.constant(t));
        Output said = Output.of(y, x0.shape().get(3));
        int timesteps = diffusion.schedule().timesteps();
        if (kind == Kind.BOUND)
            return scale(
                    bound.terms(x0, t, diffusion.start(target, xt, t, said.prediction()), said.fraction()), timesteps);
        Variable truth = Variable.constant(diffusion.truth(target, x0, t, eps));
        Variable simple = distance.perImage(truth, said.prediction());
        if (weights != null)
            simple = mul(
                    simple,
                    Variable.constant(GaussianDiffusion.perImage(weights, t).reshape(-1)));
        if (kind == Kind.SIMPLE) return simple;
        Variable fixed = diffusion.start(
                target, xt, t, Variable.constant(said.prediction().value())); // no gradient to the mean
        return add(simple, scale(bound.terms(x0, t, fixed, said.fraction()), HYBRID_WEIGHT * timesteps));
    }
}
