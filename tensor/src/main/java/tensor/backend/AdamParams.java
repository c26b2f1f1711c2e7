package tensor.backend;

/**
 * One Adam update (Kingma and Ba 2015, Algorithm 1); with {@code decoupled} weight decay it is AdamW (Loshchilov and
 * Hutter 2019).
 *
 * @param learningRate step size α
 * @param beta1 decay of the first moment
 * @param beta2 decay of the second moment
 * @param eps added to √v̂
 * @param weightDecay λ; 0 for none
 * @param decoupled {@code true}: w ← w − α λ w beside the update; {@code false}: λ w is added to the gradient
 * @param step number of this update, at least 1, for the bias correction
 * @param gradientScale factor on every gradient before use, for clipping
 */
public record AdamParams(
        double learningRate,
        double beta1,
        double beta2,
        double eps,
        double weightDecay,
        boolean decoupled,
        long step,
        double gradientScale) {
    public AdamParams {
        if (step < 1 || !(beta1 >= 0 && beta1 < 1 && beta2 >= 0 && beta2 < 1))
            throw new IllegalArgumentException("bad Adam update: step " + step + " (from 1), beta1 " + beta1
                    + " and beta2 " + beta2 + " (in [0, 1))");
    }
}
