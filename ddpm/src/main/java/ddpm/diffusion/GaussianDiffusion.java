package ddpm.diffusion;

import autograd.Variable;
import java.util.function.IntToDoubleFunction;
import tensor.DType;
import tensor.Shape;
import tensor.Tensor;
import tensor.backend.Backend;

/**
 * The two processes of denoising diffusion (Ho et al. 2020): q adds noise in closed form, p removes it step by step with
 * a learned ε_θ. Images are [N,H,W,C] in [−1, 1]; timesteps run 0 … T−1 (the paper's 1 … T).
 *
 * <pre>q(x_t | x₀) = N(√ᾱ_t x₀, (1 − ᾱ_t) I)                               Eq. 4
 * q(x_{t−1} | x_t, x₀) = N(μ̃_t(x_t, x₀), β̃_t I)                         Eq. 6–7, {@link Transition}
 * x̂₀ = (x_t − √(1−ᾱ_t) ε_θ(x_t, t)) / √ᾱ_t                             Eq. 15
 * L = mean ‖ε − ε_θ(√ᾱ_t x₀ + √(1−ᾱ_t) ε, t)‖, t uniform                Algorithm 1, Eq. 14</pre>
 *
 * The tables of √ᾱ and √(1−ᾱ) are computed in double and live on the device, so that a batch with a timestep of its
 * own for every image costs one gather.
 */
public final class GaussianDiffusion {
    private final NoiseSchedule schedule;
    private final Backend backend;
    private final DType dtype;
    private final Tensor sqrtAlphaBar; // [T]
    private final Tensor sqrtOneMinusAlphaBar; // [T]

    /** The tables join the innermost scope. */
    public GaussianDiffusion(NoiseSchedule schedule, Backend backend, DType dtype) {
        this.schedule = schedule;
        this.backend = backend;
        this.dtype = dtype;
        sqrtAlphaBar = table(schedule::sqrtAlphaBar);
        sqrtOneMinusAlphaBar = table(schedule::sqrtOneMinusAlphaBar);
    }

    /** f(0) … f(T−1) on the device, for {@link #perImage}. */
    Tensor table(IntToDoubleFunction f) {
        double[] values = new double[schedule.timesteps()];
        for (int t = 0; t < values.length; t++) values[t] = f.applyAsDouble(t);
        return Tensor.of(backend, dtype, Shape.of(values.length), values);
    }

    public NoiseSchedule schedule() {
        return schedule;
    }

    /** x_t of the forward process (Eq. 4): √ᾱ_t x₀ + √(1−ᾱ_t) ε. x0, eps [N,H,W,C], t [N] → [N,H,W,C]. */
    public Tensor qSample(Tensor x0, Tensor t, Tensor eps) {
        Tensor signal = perImage(sqrtAlphaBar, t); // [N,1,1,1]
        Tensor noise = noiseShare(t); // [N,1,1,1]
        return signal.mul(x0).add(noise.mul(eps));
    }

    /** √(1−ᾱ_t), the noise's share in x_t: t [N] → [N,1,1,1]. */
    Tensor noiseShare(Tensor t) {
        return perImage(sqrtOneMinusAlphaBar, t);
    }

    /** The noise that Eq. 4 implies between x_t and x₀: (x_t − √ᾱ_t x₀) / √(1−ᾱ_t). */
    public Tensor impliedNoise(Tensor xt, int t, Tensor x0) {
        return xt.sub(x0.mul(schedule.sqrtAlphaBar(t))).mul(1 / schedule.sqrtOneMinusAlphaBar(t));
    }

    /**
     * What a network's output says about x_t, as a consistent pair: x̂₀, optionally clipped to [−1, 1], and the noise
     * that goes with it. Clipping matters for quality and is in the authors' code, not in their text; the noise must
     * then follow, or samplers that use both contradict themselves.
     */
    public Estimate estimate(Target target, Tensor xt, int t, Tensor output, boolean clip) {
        Output said = Output.of(Variable.constant(output), xt.shape().get(3));
        Tensor start = target.start(
                        Variable.constant(xt),
                        Variable.constant(xt.scalar(schedule.sqrtAlphaBar(t))),
                        Variable.constant(xt.scalar(schedule.sqrtOneMinusAlphaBar(t))),
                        said.prediction())
                .value();
        Tensor fraction = said.fraction() == null ? null : said.fraction().value();
        if (!clip && target == Target.EPSILON)
            return new Estimate(start, said.prediction().value(), fraction);
        if (clip) start = start.clamp(-1, 1);
        return new Estimate(start, impliedNoise(xt, t, start), fraction);
    }

    /** A network, which predicts {@code target}, as a model for samplers; {@code clip} as in {@link #estimate}. */
    public Estimator estimator(Denoiser network, Target target, boolean clip) {
        return (x, t) -> {
            Tensor time = x.empty(Shape.of(x.shape().get(0)));
            x.backend().fill(time, t);
            Tensor output = network.predict(Variable.constant(x), Variable.constant(time))
                    .value();
            return estimate(target, x, t, output, clip);
        };
    }

    /** x̂₀ from a network's prediction, each image at its own timestep, with gradients: xt, output [N,H,W,C], t [N]. */
    Variable start(Target target, Tensor xt, Tensor t, Variable prediction) {
        return target.start(
                Variable.constant(xt),
                Variable.constant(perImage(sqrtAlphaBar, t)),
                Variable.constant(perImage(sqrtOneMinusAlphaBar, t)),
                prediction);
    }

    /** What a network should predict at x_t: x0, eps [N,H,W,C], t [N] → [N,H,W,C]. */
    public Tensor truth(Target target, Tensor x0, Tensor t, Tensor eps) {
        return target.truth(x0, eps, perImage(sqrtAlphaBar, t), perImage(sqrtOneMinusAlphaBar, t));
    }

    /** The entry of each image's own timestep: table [T], t [N] → [N,1,1,1]. */
    static Tensor perImage(Tensor table, Tensor t) {
        Tensor values = t.emptyLike();
        table.backend().gather(table, t, values);
        return values.reshape(-1, 1, 1, 1);
    }
}
