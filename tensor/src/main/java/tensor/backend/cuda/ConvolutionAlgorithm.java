package tensor.backend.cuda;

/**
 * How cuDNN computes a convolution or one of its gradients.
 *
 * @param number cuDNN's number of the algorithm
 * @param workspace bytes it needs beside the tensors
 */
public record ConvolutionAlgorithm(int number, long workspace) {
    /** Which of the three calls. */
    public enum Direction {
        /** y of x and w. */
        FORWARD,
        /** dx of w and dy. */
        DATA,
        /** dw of x and dy. */
        FILTER
    }
}
