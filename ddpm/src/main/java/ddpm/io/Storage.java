package ddpm.io;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.function.Consumer;

/**
 * The file operations that make a file or a checkpoint durable, each of which may fail. One implementation touches the
 * disk; tests put another in front that fails the n-th call.
 */
interface Storage {
    /** What may be written to a file that is open. */
    interface File extends SafetensorsWriter.Sink, AutoCloseable {
        /** Waits until the contents are on the disk. */
        void force() throws IOException;

        @Override
        void close() throws IOException;
    }

    /** Creates a file. */
    File create(Path file) throws IOException;

    /** Creates a file and waits until its contents are on the disk. */
    default void write(Path file, CheckpointDirectory.Contents contents) throws IOException {
        try (File out = create(file)) {
            contents.writeTo(out);
            out.force();
        }
    }

    /** Creates a folder. */
    void createFolder(Path folder) throws IOException;

    /** Renames in one step: the target is the old thing or the new thing, never something between. */
    void move(Path from, Path to) throws IOException;

    /** Waits until the entries of a folder are on the disk. */
    void forceFolder(Path folder) throws IOException;

    /** The disk. */
    Storage DISK = new Storage() {
        @Override
        public File create(Path file) throws IOException {
            FileChannel channel = FileChannel.open(file, StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE);
            return new File() {
                @Override
                public void write(ByteBuffer bytes) throws IOException {
                    while (bytes.hasRemaining()) channel.write(bytes);
                }

                @Override
                public void force() throws IOException {
                    channel.force(true);
                }

                @Override
                public void close() throws IOException {
                    channel.close();
                }
            };
        }

        @Override
        public void createFolder(Path folder) throws IOException {
            Files.createDirectories(folder);
        }

        @Override
        public void move(Path from, Path to) throws IOException {
            Files.move(from, to, StandardCopyOption.ATOMIC_MOVE);
        }

        @Override
        public void forceFolder(Path folder) throws IOException {
            try (FileChannel channel = FileChannel.open(folder, StandardOpenOption.READ)) {
                channel.force(true);
            }
        }
    };

    /**
     * Removes a file or a folder with what is in it, but of a link to one only the link; what cannot be removed is reported
     * and left.
     */
    static void remove(Path path, Consumer<String> report) {
        if (!Files.exists(path, LinkOption.NOFOLLOW_LINKS)) return;
        try {
            if (Files.isDirectory(path, LinkOption.NOFOLLOW_LINKS)) {
                try (var children = Files.list(path)) {
                    children.forEach(child -> remove(child, report));
                }
            }
            Files.deleteIfExists(path);
        } catch (IOException e) {
            report.accept("could not remove " + path + ": " + e.getMessage());
        }
    }
}
