package ddpm.diffusion;

import static autograd.ops.Scale.scale;
import static autograd.ops.Shift.shift;
import static autograd.ops.Slice.slice;

import autograd.Variable;

/**
 * What a network says about x_t: its prediction and, where it has twice the channels of an image, behind it the variances as
 * values v in [−1, 1] (Nichol and Dhariwal 2021, Eq. 15).
 *
 * @param prediction of a {@link Target} [N,H,W,C]
 * @param fraction (v + 1) / 2, as in {@link Estimate}; {@code null} when the network does not say
 */
record Output(Variable prediction, Variable fraction) {
    /** Takes y [N,H,W,C] or [N,H,W,2C] apart; {@code channels} is C. */
    static Output of(Variable y, int channels) {
        if (y.shape().get(3) == channels) return new Output(y, null);
        return new Output(slice(y, 3, 0, channels), scale(shift(slice(y, 3, channels, channels), 1), 0.5));
    }
}
