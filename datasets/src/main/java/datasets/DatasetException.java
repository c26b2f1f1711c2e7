package datasets;

/**
 * The data cannot be used. The message is one sentence for the person at the terminal: where (path or address), what is
 * wrong, what was expected and what was found, and where it helps what to do.
 */
public final class DatasetException extends RuntimeException {
    private static final long serialVersionUID = 1L;

    public DatasetException(String sentence) {
        super(sentence);
    }

    public DatasetException(String sentence, Throwable cause) {
        super(sentence, cause);
    }

    /** The common form: {@code path: what: expected X, found Y}. */
    static DatasetException malformed(String path, String what, Object expected, Object found) {
        return new DatasetException(path + ": " + what + ": expected " + expected + ", found " + found);
    }
}
