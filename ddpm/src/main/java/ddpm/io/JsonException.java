package ddpm.io;

/** Text that is not the JSON we accept; the message says where. */
public final class JsonException extends RuntimeException {
    private static final long serialVersionUID = 1;

    public JsonException(String message) {
        super(message);
    }
}
