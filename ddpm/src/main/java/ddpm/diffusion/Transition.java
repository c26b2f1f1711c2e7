package ddpm.diffusion;

import tensor.Tensor;

/**
 * One step of the reverse process, from x_t to the less noisy x_s, s < t, not necessarily t − 1. Eq. 6–7 of Ho et al. 2020
 * hold for any such pair, with
 *
 * <pre>α = ᾱ_t / ᾱ_s      β = 1 − α
 * mean = √ᾱ_s β / (1−ᾱ_t) x₀ + √α (1−ᾱ_s) / (1−ᾱ_t) x_t      β̃ = β (1−ᾱ_s) / (1−ᾱ_t)</pre>
 *
 * so leaving timesteps out ("respacing", Nichol and Dhariwal 2021, §4) needs no other formula.
 *
 * @param from ᾱ_t
 * @param to ᾱ_s, above ᾱ_t; 1 for the last step
 */
public record Transition(double from, double to) {
    public Transition {
        if (!(from >= 0 && from < to && to <= 1))
            throw new IllegalArgumentException(
                    "a reverse step leads to a larger alphaBar, not from " + from + " to " + to);
    }

    /** α = ᾱ_t / ᾱ_s, the share of signal variance that the forward process keeps from s to t. */
    public double alpha() {
        return from / to;
    }

    /** β = 1 − α, the variance that it adds: the large variance of the reverse step. */
    public double beta() {
        return 1 - alpha();
    }

    /** β̃, the variance of x_s given x_t and x₀: the small variance of the reverse step; 0 in the last. */
    public double posteriorVariance() {
        return beta() * (1 - to) / (1 - from);
    }

    /** The factor on x₀ in the mean of x_s given x_t and x₀. */
    public double meanStart() {
        return Math.sqrt(to) * beta() / (1 - from);
    }

    /** The factor on x_t in that mean. */
    public double meanNoisy() {
        return Math.sqrt(alpha()) * (1 - to) / (1 - from);
    }

    /** The mean of x_s given x_t and x₀. */
    public Tensor mean(Tensor x0, Tensor xt) {
        return x0.mul(meanStart()).add(xt.mul(meanNoisy()));
    }
}
