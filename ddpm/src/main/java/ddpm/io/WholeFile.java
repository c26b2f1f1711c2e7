package ddpm.io;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.Path;

/**
 * Writes a file that is there whole or not at all: what was in its place stays until the new one is on the disk, and stays
 * when anything fails.
 *
 * <pre>make the folder → write into .NAME.PID.tmp beside the file → fsync → rename</pre>
 *
 * The folder is not forced to the disk, as a checkpoint's is: after a power failure it may be the old file that is there.
 */
public final class WholeFile {
    private static final System.Logger LOG = System.getLogger("ddpm.io");

    private WholeFile() {}

    /** Writes these bytes. */
    public static void write(Path file, byte[] bytes) throws IOException {
        write(file, out -> out.write(ByteBuffer.wrap(bytes)));
    }

    /**
     * Writes what the contents say.
     *
     * @throws FileSystemException naming the file, or the folder that could not be made for it
     */
    public static void write(Path file, CheckpointDirectory.Contents contents) throws IOException {
        write(file, contents, Storage.DISK);
    }

    static void write(Path file, CheckpointDirectory.Contents contents, Storage storage) throws IOException {
        Path target = file.toAbsolutePath();
        if (Files.isDirectory(target)) throw new FileSystemException(file.toString(), null, "Is a directory");
        storage.createFolder(target.getParent());
        Path beside = target.resolveSibling(
                "." + target.getFileName() + "." + ProcessHandle.current().pid() + ".tmp");
        try {
            Files.deleteIfExists(beside); // of a process that had this one's number and was killed
            storage.write(beside, contents);
            storage.move(beside, target);
        } catch (IOException e) {
            throw FileTrouble.with(file, e);
        } finally {
            Storage.remove(beside, message -> LOG.log(System.Logger.Level.WARNING, message));
        }
    }
}
