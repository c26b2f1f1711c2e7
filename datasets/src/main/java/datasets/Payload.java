package datasets;

import java.io.BufferedInputStream;
import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.net.URL;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.util.Locale;
import java.util.zip.GZIPInputStream;
import java.util.zip.ZipException;

/**
 * One input file, raw or gzip (told by its first two bytes, not by its name), read in two passes: a <em>survey</em> that
 * counts and hashes in constant memory, and only then the bytes themselves into an array of the proven size. A file that
 * lies about its size, or a gzip bomb, is refused before it costs more than a buffer.
 *
 * @param path what messages call it
 * @param expected the checksum it must have, or null
 */
record Payload(String path, Opener opener, Checksum expected) {
    private static final int BUFFER = 1 << 16;
    private static final int GZIP_MAGIC = 0x1F8B;

    /** Opens the stored bytes, compressed or not, from their start. */
    interface Opener {
        InputStream open() throws IOException;
    }

    /** A step over the open payload; its failures become sentences in {@link #reading}. */
    interface Step<T> {
        T over(InputStream in) throws IOException;
    }

    static Payload of(Path file) {
        return of(file, null);
    }

    static Payload of(Path file, Checksum expected) {
        return new Payload(file.toString(), () -> Files.newInputStream(file), expected);
    }

    /** A file that travels in this module's jar. */
    static Payload bundled(String file, Checksum expected) {
        return new Payload("bundled " + file, () -> resource(file).openStream(), expected);
    }

    private static URL resource(String file) throws IOException {
        URL url = Payload.class.getResource(file);
        if (url == null) {
            throw new NoSuchFileException(file);
        }
        return url;
    }

    /** The first bytes of the payload: {@code count} of them, or all if it is shorter. */
    byte[] head(int count) {
        return reading(in -> in.readNBytes(count));
    }

    /** Counts and hashes: exactly {@code bytes} or a sentence. Checks what is expected; returns the payload's SHA-256. */
    String survey(long bytes) {
        if (expected != null && !expected.ofPayload()) {
            verifyKept(bytes);
        }
        String sha256 = reading(in -> {
            MessageDigest sha = Checksum.digest("SHA-256");
            long found = drain(in, bytes, sha);
            if (found > bytes) {
                throw DatasetException.malformed(
                        path, "length", grouped(bytes) + " bytes as its header says", "more than that");
            }
            if (found < bytes) {
                throw DatasetException.malformed(
                        path, "length", grouped(bytes) + " bytes as its header says", grouped(found));
            }
            return Checksum.hex(sha.digest());
        });
        if (expected != null && expected.ofPayload()) {
            expected.expect(path, sha256);
        }
        return sha256;
    }

    /**
     * As {@link #verify}, for a file that the user keeps, perhaps uncompressed: of one that is not compressed, the checksum
     * of the compressed file says nothing.
     */
    void verifyKept(long limit) {
        if (expected != null && (expected.ofPayload() || gzip())) {
            verify(limit);
        }
    }

    /**
     * Checks the expected checksum, of the bytes as they are stored or of the payload.
     *
     * @param limit most bytes the payload may have
     */
    void verify(long limit) {
        MessageDigest digest = Checksum.digest(expected.algorithm());
        long found = expected.ofPayload()
                ? reading(in -> drain(in, limit, digest))
                : readingStored(in -> drain(in, Long.MAX_VALUE, digest));
        if (expected.ofPayload() && found > limit) {
            throw DatasetException.malformed(path, "length", "at most " + grouped(limit) + " bytes", "more than that");
        }
        expected.expect(path, Checksum.hex(digest.digest()));
    }

    /** Whether the stored bytes begin as gzip does. */
    boolean gzip() {
        byte[] magic = readingStored(in -> in.readNBytes(2));
        return magic.length == 2 && ((magic[0] & 0xFF) << 8 | magic[1] & 0xFF) == GZIP_MAGIC;
    }

    /** Runs a step over the uncompressed bytes. */
    <T> T reading(Step<T> step) {
        boolean gzip = gzip();
        return readingStored(stored -> step.over(gzip ? new GZIPInputStream(stored, BUFFER) : stored));
    }

    private <T> T readingStored(Step<T> step) {
        try (InputStream stored = new BufferedInputStream(opener.open(), BUFFER)) {
            return step.over(stored);
        } catch (EOFException e) {
            throw new DatasetException(
                    path + ": ends too early: expected the rest of the compressed data, found its end", e);
        } catch (ZipException e) {
            throw new DatasetException(path + ": damaged: expected intact gzip data, found: " + e.getMessage(), e);
        } catch (NoSuchFileException e) {
            throw new DatasetException(path + ": no such file", e);
        } catch (IOException e) {
            throw new DatasetException(path + ": cannot be read: " + e.getMessage(), e);
        }
    }

    /** Reads to the end or just beyond {@code limit}; returns the number of bytes seen. */
    private static long drain(InputStream in, long limit, MessageDigest digest) throws IOException {
        byte[] buffer = new byte[BUFFER];
        long seen = 0;
        for (int n = in.read(buffer); n >= 0; n = in.read(buffer)) {
            digest.update(buffer, 0, n);
            seen += n;
            if (seen > limit) {
                break;
            }
        }
        return seen;
    }

    private static String grouped(long n) {
        return String.format(Locale.ROOT, "%,d", n);
    }
}
