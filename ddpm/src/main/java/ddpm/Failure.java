package ddpm;

/** Ends a program with one sentence and an exit code. */
final class Failure extends RuntimeException {
    private static final long serialVersionUID = 1;

    /** Wrong arguments or settings. */
    static final int USAGE = 2;
    /** Data missing or malformed. */
    static final int DATA = 3;
    /** A file could not be read or written. */
    static final int IO = 4;
    /** Inf or NaN while training. */
    static final int NUMERIC = 5;
    /** Not enough memory. */
    static final int MEMORY = 6;
    /** The backend that was asked for is not available. */
    static final int BACKEND = 7;

    private final int exitCode;

    Failure(int exitCode, String sentence) {
        this(exitCode, sentence, null);
    }

    Failure(int exitCode, String sentence, Throwable cause) {
        super(sentence, cause);
        this.exitCode = exitCode;
    }

    int exitCode() {
        return exitCode;
    }
}
