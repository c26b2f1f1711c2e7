package ddpm.diffusion;

import autograd.Tape;
import autograd.Variable;
import autograd.ops.Sum;
import tensor.Shape;
import tensor.Tensor;

/**
 * Classifier guidance (Dhariwal and Nichol 2021, Algorithm 2): a classifier of noisy images pulls x_t towards a label, by the
 * gradient of its log-probability with respect to its input, which our own tape gives.
 *
 * <pre>ε̂ ← ε̂ − s √(1−ᾱ_t) ∇_x log p(y | x_t, t)      x̂₀ follows: x̂₀ + s (1−ᾱ_t)/√ᾱ_t ∇_x log p</pre>
 *
 * With s = 1 and an exact classifier this is the score of p(x_t | y). Where ᾱ_t = 0 there is nothing to pull.
 */
public final class ClassifierGuidance implements Estimator {
    /** log p(y | x_t, t) of each image's wanted label: x [N,H,W,C], t [N] → [N]. */
    @FunctionalInterface
    public interface LogProbability {
        Variable of(Variable x, Variable t);
    }

    private final Estimator model;
    private final NoiseSchedule schedule;
    private final LogProbability classifier;
    private final double scale;
    private final boolean clip;

    /**
     * A guided model.
     *
     * @param model without clipping
     * @param scale s
     * @param clip whether the guided x̂₀ is limited to [−1, 1]
     */
    public ClassifierGuidance(
            Estimator model, NoiseSchedule schedule, LogProbability classifier, double scale, boolean clip) {
        this.model = model;
        this.schedule = schedule;
        this.classifier = classifier;
        this.scale = scale;
        this.clip = clip;
    }

    @Override
    public Estimate at(Tensor x, int t) {
        Estimate e = model.at(x, t);
        double a = schedule.sqrtAlphaBar(t);
        double b = schedule.sqrtOneMinusAlphaBar(t);
        Tensor start = a == 0 ? e.start() : e.start().add(gradient(x, t).mul(scale * b * b / a));
        if (clip) start = start.clamp(-1, 1);
        return new Estimate(start, x.sub(start.mul(a)).mul(1 / b), e.fraction());
    }

    private Tensor gradient(Tensor x, int t) {
        Variable leaf = Variable.leaf(x);
        Tensor time = x.empty(Shape.of(x.shape().get(0)));
        x.backend().fill(time, t);
        try (Tape tape = Tape.start()) {
            Variable sum = Sum.sum(classifier.of(leaf, Variable.constant(time)));
            return tape.backward(sum).of(leaf);
        }
    }
}
