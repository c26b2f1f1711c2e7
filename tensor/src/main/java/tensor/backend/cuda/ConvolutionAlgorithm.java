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

    /** From {@link #words}; {@code null} where these make no sense. */
    static ConvolutionAlgorithm of(String words) {
        String[] word = words == null ? new String[0] : words.split(" ");
        if (word.length != 4) return null;
        try {
            return new ConvolutionAlgorithm(
                    Integer.parseInt(word[0]),
                    Long.parseLong(word[1]),
                    Boolean.parseBoolean(word[2]),
                    Boolean.parseBoolean(word[3]));
        } catch (NumberFormatException e) {
            return null;
        }
    }

    /** For a file: number, workspace, turned, addsBias. */
    String words() {
        return number + " " + workspace + " " + turned + " " + addsBias;
    }

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
