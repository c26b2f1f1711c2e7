package tensor.backend;

/**
 * Group normalisation (Wu and He 2018).
 *
 * @param groups how many groups the channels are cut into; 1 normalises each image as a whole
 * @param eps added to the variance
 * @param silu whether SiLU follows the affine map
 */
public record NormParams(int groups, double eps, boolean silu) {
    public NormParams {
        if (groups < 1 || !(eps >= 0))
            throw new IllegalArgumentException("bad group norm: groups " + groups + ", eps " + eps);
    }
}
