package tensor.backend;

/**
 * What {@link Backend#random} draws.
 *
 * @param kind which family
 * @param parameter {@link Kind#INTEGERS}: the exclusive bound, 1 ≤ bound ≤ 2²⁴; {@link Kind#KEEP}: the probability of
 *     keeping, in (0, 1]; otherwise unused
 */
public record Distribution(Kind kind, double parameter) {
    /** Uniform on [0, 1), a multiple of 2⁻²⁴. */
    public static final Distribution UNIFORM = new Distribution(Kind.UNIFORM, 0);
    /** Standard normal. */
    public static final Distribution NORMAL = new Distribution(Kind.NORMAL, 0);

    /** The families. */
    public enum Kind {
        UNIFORM,
        NORMAL,
        INTEGERS,
        KEEP
    }

    public Distribution {
        if (kind == Kind.INTEGERS && !(parameter >= 1 && parameter <= 1 << 24 && parameter == Math.rint(parameter)))
            throw new IllegalArgumentException("random integers need a bound in 1..2^24, not " + parameter);
        if (kind == Kind.KEEP && !(parameter > 0 && parameter <= 1))
            throw new IllegalArgumentException("the probability of keeping must be in (0, 1], not " + parameter);
    }

    /** Whole numbers 0 … bound−1, each as likely, stored as floating-point values. */
    public static Distribution integers(int bound) {
        return new Distribution(Kind.INTEGERS, bound);
    }

    /** The inverted-dropout mask: 1/probability with that probability, else 0. */
    public static Distribution keep(double probability) {
        return new Distribution(Kind.KEEP, probability);
    }
}
