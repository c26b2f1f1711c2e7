/**
 * <b>5 Diffusion.</b> How does noise become pictures?
 *
 * <p>Add noise to a picture in T small steps until nothing but noise is left. That process q needs no learning and has a
 * closed form: {@code x_t = √ᾱ_t x₀ + √(1−ᾱ_t) ε} (Ho et al. 2020, Eq. 4). Its reversal would draw pictures from noise;
 * it is not known, but each of its steps is nearly Gaussian, and its mean follows from the noise ε that is in x_t. So a
 * network ε_θ(x_t, t) is trained to tell the noise (Algorithm 1), and pictures are drawn by taking away, T times, a
 * little of what it says and adding back a little fresh noise (Algorithm 2).
 *
 * <p>In reading order: {@link ddpm.diffusion.NoiseSchedule}, the β and everything that follows from them;
 * {@link ddpm.diffusion.GaussianDiffusion}, the two processes; {@link ddpm.diffusion.Objective} with
 * {@link ddpm.diffusion.LossKind} and {@link ddpm.diffusion.VariationalBound}, what training minimises;
 * {@link ddpm.diffusion.Target}, what a network may predict, and {@link ddpm.diffusion.Estimate}, what that says about x_t;
 * {@link ddpm.diffusion.Sampler} and {@link ddpm.diffusion.AncestralSampler}; then fewer steps:
 * {@link ddpm.diffusion.Timesteps}, {@link ddpm.diffusion.DdimSampler}, {@link ddpm.diffusion.DpmSolver},
 * {@link ddpm.diffusion.HeunSampler}; {@link ddpm.diffusion.ImageNoise}, noise that belongs to an image; and what a
 * model may be told: {@link ddpm.diffusion.ClassifierFreeGuidance}, {@link ddpm.diffusion.ClassifierGuidance},
 * {@link ddpm.diffusion.SelfConditioning}, {@link ddpm.diffusion.LowResolution}; {@link ddpm.diffusion.Inpainting}, which fills in what is missing.
 *
 * <p>Invariants: timesteps are 0 … T−1 (the paper's 1 … T); images lie in [−1, 1]; tables are computed in double; an
 * estimate of x₀ and the noise that goes with it are always a consistent pair, also after clipping.
 *
 * <p>Where the code leaves the paper: x̂₀ may be clipped to [−1, 1] before Eq. 7, as in the authors' code; the notebook's
 * T = 200 with unscaled β leaves 13 % of the signal at the end, and the program says so.
 *
 * <p>Not here, because: no network is needed to test any of this. For x₀ ~ N(0, s²) the best ε_θ is a formula, and the
 * sampler must return variance s²; {@code GaussianDiffusionTest} holds it to that. Next: chapter 6, {@link ddpm.unet}.
 */
package ddpm.diffusion;
