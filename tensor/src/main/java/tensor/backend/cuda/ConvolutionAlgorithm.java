package tensor.backend.cuda;

/**
 * How cuDNN computes a convolution or one of its gradients.
 *
 * @param number cuDNN's number of the algorithm
 * @param workspace bytes it needs beside the tensors
 * @param turned whether it is an algorithm of the opposite direction, with the filters turned round
 * @param addsBias whether a bias is best added by the same call
 */
public record ConvolutionAlgorithm(int number, long workspace, boolean turned, boolean addsBias) {
    /** In the place of one: cuBLAS is faster. */
    static final ConvolutionAlgorithm PRODUCT = new ConvolutionAlgorithm(-1, 0, false, false);

    /** Which of the three calls. */
    public enum Direction {
        /** y of x and w. */
        FORWARD,
        /** dx of w and dy. */
        DATA,
        /** dw of x and dy. */
        FILTER;

        /** With a stride of 1 the two are one another's with the filters turned round. */
        Direction opposite() {
            return this == FORWARD ? DATA : FORWARD;
        }
    }
}
