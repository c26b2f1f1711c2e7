package ddpm.io;

import java.nio.file.Path;

/** A file of weights or state that cannot be used; the message names the file, what is wrong, expected and found. */
public final class CheckpointException extends RuntimeException {
    private static final long serialVersionUID = 1;

    public CheckpointException(Path file, String what) {
        super(file + ": " + what);
    }

    public CheckpointException(Path file, String what, Throwable cause) {
        super(file + ": " + what, cause);
    }
}
