package datasets;

import java.io.IOException;
import java.io.InputStream;
import java.net.HttpURLConnection;
import java.net.URI;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.channels.OverlappingFileLockException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.Locale;
import java.util.function.Consumer;

/**
 * Fetches one file over HTTP so that its final name appears only when it is complete and its checksum right.
 *
 * <p>Bytes collect in {@code NAME.part}; a broken transfer is taken up again where it stopped, now or in a later run, by a
 * Range request. As long as an attempt brought something, another one follows. A complete file of the wrong checksum is
 * deleted, since no amount of resuming would mend it.
 */
final class Downloader {
    private static final long MAX_BYTES = 512L << 20;
    private static final long MAX_PAYLOAD = 2L << 30;
    private static final int BUFFER = 1 << 16;
    private static final int TIMEOUT_MS = 30_000;
    private static final int OK = HttpURLConnection.HTTP_OK;
    private static final int PARTIAL = HttpURLConnection.HTTP_PARTIAL;
    private static final int RANGE_NOT_SATISFIABLE = 416;

    private final Consumer<String> say;

    /** {@code say} gets one line per file. */
    Downloader(Consumer<String> say) {
        this.say = say;
    }

    /**
     * Brings {@code from} to {@code target}, whose folder is made if need be.
     *
     * @throws DatasetException if the server does not answer, does not have it, or serves something else
     */
    void fetch(URI from, Path target, Checksum expected) {
        Path part = target.resolveSibling(target.getFileName() + ".part");
        try {
            Files.createDirectories(target.toAbsolutePath().getParent());
            // A file of its own: on POSIX any close() of a locked file, as after hashing it, would drop its lock.
            Path lock = target.resolveSibling(".lock");
            try (FileChannel held = FileChannel.open(lock, StandardOpenOption.CREATE, StandardOpenOption.WRITE);
                    FileChannel file = FileChannel.open(part, StandardOpenOption.CREATE, StandardOpenOption.WRITE)) {
                lock(held, lock); // until the channel is closed
                if (!Files.isRegularFile(target)) { // else another process was faster
                    say.accept("downloading " + from + (file.size() > 0 ? " from byte " + grouped(file.size()) : ""));
                    fill(from, file);
                    file.force(true);
                    verify(from, part, expected);
                    Files.move(part, target, StandardCopyOption.ATOMIC_MOVE);
                }
            } finally {
                if (Files.exists(part) && Files.size(part) == 0) {
                    Files.delete(part);
                }
            }
        } catch (IOException e) {
            throw new DatasetException(
                    from + ": download to " + target + " failed: " + e + "; the next --download goes on from there", e);
        }
    }

    private static void lock(FileChannel file, Path path) throws IOException {
        boolean ours;
        try {
            ours = file.tryLock() != null;
        } catch (OverlappingFileLockException e) { // the other one is a thread of this virtual machine
            ours = false;
        }
        if (!ours) {
            throw new DatasetException(path + ": another process is downloading into this folder: wait for it");
        }
    }

    private static void verify(URI from, Path part, Checksum expected) throws IOException {
        try {
            new Payload(from.toString(), () -> Files.newInputStream(part), expected).verify(MAX_PAYLOAD);
        } catch (DatasetException e) {
            Files.delete(part);
            throw e;
        }
    }

    /** Attempts until the server says that the file is whole; gives up on the first attempt that brings nothing. */
    private static void fill(URI from, FileChannel file) throws IOException {
        while (true) {
            long before = file.size();
            try {
                if (attempt(from, file)) {
                    return;
                }
                throw new IOException("the connection closed after " + grouped(file.size()) + " bytes");
            } catch (IOException e) {
                if (file.size() <= before) {
                    throw e;
                }
            }
        }
    }

    /** One request for what is missing; true if the file is complete afterwards. */
    private static boolean attempt(URI from, FileChannel file) throws IOException {
        HttpURLConnection http = (HttpURLConnection) from.toURL().openConnection();
        http.setConnectTimeout(TIMEOUT_MS);
        http.setReadTimeout(TIMEOUT_MS);
        long have = file.size();
        if (have > 0) {
            http.setRequestProperty("Range", "bytes=" + have + "-");
        }
        try {
            int status = http.getResponseCode();
            if (status == RANGE_NOT_SATISFIABLE && have > 0) {
                return true; // nothing after what is here: the checksum decides whether that is the file
            }
            if (status != OK && !(status == PARTIAL && startsAt(http, have))) {
                throw new DatasetException(from + ": expected the file, found HTTP status " + status);
            }
            if (status == OK) {
                file.truncate(0);
            }
            file.position(file.size());
            long length = http.getContentLengthLong();
            long expected = length < 0 ? -1 : file.size() + length;
            try (InputStream body = http.getInputStream()) {
                append(from, body, file);
            }
            return expected < 0 || file.size() >= expected;
        } finally {
            http.disconnect();
        }
    }

    private static boolean startsAt(HttpURLConnection http, long position) {
        String range = http.getHeaderField("Content-Range");
        return range != null && range.startsWith("bytes " + position + "-");
    }

    private static void append(URI from, InputStream body, FileChannel file) throws IOException {
        byte[] buffer = new byte[BUFFER];
        for (int n = body.read(buffer); n >= 0; n = body.read(buffer)) {
            if (file.size() + n > MAX_BYTES) {
                throw DatasetException.malformed(
                        from.toString(), "length", "at most " + grouped(MAX_BYTES) + " bytes", "more than that");
            }
            for (ByteBuffer rest = ByteBuffer.wrap(buffer, 0, n); rest.hasRemaining(); ) {
                file.write(rest);
            }
        }
    }

    private static String grouped(long n) {
        return String.format(Locale.ROOT, "%,d", n);
    }
}
