package ddpm.diffusion;

import tensor.Tensor;

/**
 * A consistent reading of x_t.
 *
 * @param start x̂₀
 * @param noise ε̂ with x_t = √ᾱ_t x̂₀ + √(1−ᾱ_t) ε̂
 * @param fraction where the variance of a reverse step lies, on a log scale, between the small (0) and the large one
 *     (1), for every value (Nichol and Dhariwal 2021, Eq. 15); {@code null} when the network does not say
 */
public record Estimate(Tensor start, Tensor noise, Tensor fraction) {
    /** A reading that leaves the variance open. */
    public Estimate(Tensor start, Tensor noise) {
        this(start, noise, null);
    }
}
