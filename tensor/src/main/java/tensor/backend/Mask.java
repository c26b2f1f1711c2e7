package tensor.backend;

/**
 * A mask of dropout (Srivastava et al. 2014, scaled while training), told by where it is drawn: its element i is draw
 * {@code offset} + i of {@link Distribution#keep}, 1/keep with probability keep, else 0. So masks are made where they are used,
 * and again for the gradient, and never kept.
 *
 * @param keep probability of keeping a value, in (0, 1]
 * @param seed which stream
 * @param offset position in it, a multiple of 4
 */
public record Mask(double keep, long seed, long offset) {
    public Mask {
        Distribution.keep(keep);
        if (offset < 0 || offset % 4 != 0)
            throw new IllegalArgumentException(
                    "a mask at the stream position " + offset + ", which is not a multiple of 4, at least 0");
    }
}
