package ddpm.train;

/** Training met an Inf or NaN; nothing was updated by it. */
public final class NonFiniteException extends RuntimeException {
    private static final long serialVersionUID = 1;

    public NonFiniteException(String message) {
        super(message);
    }
}
