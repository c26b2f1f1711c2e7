package ddpm.diffusion;

import static autograd.ops.Concat.concat;

import autograd.Variable;
import tensor.Tensor;

/**
 * The network's part: it looks at x_t and says what a {@link Target} asks of it, the noise unless told otherwise. A
 * trained {@link ddpm.unet.UNet} is one; in tests, so is a formula. What else a network may be told (a label, a small
 * image) is bound beforehand; the process itself knows x_t and t only.
 */
@FunctionalInterface
public interface Denoiser {
    /**
     * The prediction at (x_t, t).
     *
     * @param x noisy images [N,H,W,C]
     * @param t timestep of each image [N], whole numbers in 0 … T−1
     * @return what was learned to be predicted [N,H,W,C]; with learned variances [N,H,W,2C], the second half of which
     *     says where each lies (see {@link Estimate})
     */
    Variable predict(Variable x, Variable t);

    /** This network with a known image [N,H,W,·] joined, as further channels, to whatever x_t it is asked about. */
    default Denoiser given(Tensor known) {
        return (x, t) -> predict(concat(3, x, Variable.constant(known)), t);
    }
}
