package ddpm.io;

import java.io.IOException;
import java.nio.file.AccessDeniedException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.FileSystemException;
import java.nio.file.NoSuchFileException;
import java.nio.file.NotDirectoryException;
import java.nio.file.Path;
import java.util.Map;

/**
 * What failed with a file, as one sentence: where, what, and what to do. Of the exceptions of {@code java.nio.file} some say
 * what only by their class, and those of a file that is open do not say where.
 */
public final class FileTrouble {
    private static final Map<Class<?>, String> BY_CLASS = Map.of(
            NoSuchFileException.class, "there is no such file or folder",
            AccessDeniedException.class, "permission denied; choose another place or change its permissions",
            FileAlreadyExistsException.class, "something of this name is in the way; choose another name or move it",
            NotDirectoryException.class, "this is a file, and a folder is needed");

    /** By the words of the operating system; one that speaks another language is quoted as it is. */
    private static final Map<String, String> BY_WORDS = Map.of(
            "Is a directory", "this is a folder, and a file is needed",
            "Not a directory", "a part of this path is a file, and a folder is needed",
            "No space left on device", "the disk is full; make room on it");

    private FileTrouble() {}

    /** The sentence. */
    public static String sentence(IOException e) {
        return e instanceof FileSystemException at && at.getFile() != null
                ? at.getFile() + ": " + what(e)
                : "file trouble: " + what(e);
    }

    /** The same trouble, said of the file that it is about. */
    public static FileSystemException with(Path file, IOException e) {
        FileSystemException named = new FileSystemException(file.toString(), null, what(e));
        named.initCause(e);
        return named;
    }

    private static String what(IOException e) {
        String words = e instanceof FileSystemException at ? at.getReason() : e.getMessage();
        if (words == null)
            return BY_CLASS.getOrDefault(e.getClass(), e.getClass().getSimpleName());
        return BY_WORDS.getOrDefault(words, words);
    }
}
