package datasets;

import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;

/**
 * The regular files of a tar archive, one after the other, from a stream. Nothing is ever written to disk.
 *
 * <pre>block of 512 bytes: name [0,100) | size, octal [124,136) | checksum, octal [148,156) | type [156] | prefix [345,500)
 * then ⌈size/512⌉ blocks of content; two blocks of zeros end the archive</pre>
 *
 * Deliberately narrow: files and folders in the plain or ustar form. A path that is absolute or climbs with {@code ..}, a
 * link, a device, an extended header, a repeated name, or sizes that add up to more than 512 MiB mean that this is not the
 * archive it claims to be, and refuse it whole.
 */
final class TarReader {
    private static final int BLOCK = 512;
    private static final long MAX_TOTAL = 512L << 20;
    private static final int MAX_ENTRIES = 1024;
    private static final int MAX_PADDING_BLOCKS = 2048;

    private final String path;
    private final InputStream in;
    private final byte[] block = new byte[BLOCK];
    private final List<String> names = new ArrayList<>();
    private long total;
    private long remaining;
    private long padding;

    /**
     * One regular file.
     *
     * @param bytes its size; {@link #body} gives exactly as many, or fails
     */
    record Entry(String name, long bytes, InputStream body) {
        /** The last segment of the name. */
        String file() {
            return name.substring(name.lastIndexOf('/') + 1);
        }
    }

    TarReader(String path, InputStream in) {
        this.path = path;
        this.in = in;
    }

    /** The next regular file, or null after the last. The previous entry's body ends here. */
    Entry next() throws IOException {
        while (true) {
            skip(remaining + padding);
            remaining = 0;
            padding = 0;
            readBlock();
            if (isZero()) {
                expectOnlyPadding();
                return null;
            }
            expectChecksum();
            String name = name();
            long size = size(name);
            expectRoom(name, size);
            char type = (char) (block[156] & 0xFF);
            if (type == '5' && size == 0) {
                continue;
            }
            if (type != '0' && type != 0) {
                throw refused(name, "expected plain files and folders, found " + kind(type));
            }
            if (names.contains(name)) {
                throw refused(name, "expected every name once, found it twice");
            }
            names.add(name);
            remaining = size;
            padding = (BLOCK - size % BLOCK) % BLOCK;
            return new Entry(name, size, new Body());
        }
    }

    /** What is left of the current entry. */
    private final class Body extends InputStream {
        @Override
        public int read() throws IOException {
            byte[] one = new byte[1];
            return read(one, 0, 1) < 0 ? -1 : one[0] & 0xFF;
        }

        @Override
        public int read(byte[] target, int offset, int length) throws IOException {
            if (remaining == 0) {
                return -1;
            }
            int n = in.read(target, offset, (int) Math.min(length, remaining));
            if (n < 0) {
                throw cut();
            }
            remaining -= n;
            return n;
        }
    }

    private void readBlock() throws IOException {
        if (in.readNBytes(block, 0, BLOCK) < BLOCK) {
            throw cut();
        }
    }

    private void skip(long bytes) throws IOException {
        byte[] sink = new byte[1 << 13];
        for (long left = bytes; left > 0; ) {
            int n = in.read(sink, 0, (int) Math.min(left, sink.length));
            if (n < 0) {
                throw cut();
            }
            left -= n;
        }
    }

    /** Reads to the end of the stream, so that the compression's own checksum is looked at too. */
    private void expectOnlyPadding() throws IOException {
        for (int blocks = 0; readTail(); blocks++) {
            if (!isZero() || blocks >= MAX_PADDING_BLOCKS) {
                throw new DatasetException(path
                        + ": archive refused: expected at most 1 MiB of zeros after its last entry, found other data");
            }
        }
    }

    private boolean readTail() throws IOException {
        Arrays.fill(block, (byte) 0);
        return in.readNBytes(block, 0, BLOCK) > 0;
    }

    private boolean isZero() {
        for (byte b : block) {
            if (b != 0) {
                return false;
            }
        }
        return true;
    }

    /** The sum of all header bytes, with the checksum field itself read as eight spaces. */
    private void expectChecksum() {
        long stated = octal(148, 8);
        long sum = 0;
        for (int i = 0; i < BLOCK; i++) {
            sum += i >= 148 && i < 156 ? ' ' : block[i] & 0xFF;
        }
        if (stated != sum) {
            throw DatasetException.malformed(path, "checksum of a tar header", sum, stated < 0 ? "no number" : stated);
        }
    }

    private String name() {
        String name = text(0, 100);
        boolean ustar = text(257, 5).equals("ustar");
        String prefix = ustar ? text(345, 155) : "";
        String full = prefix.isEmpty() ? name : prefix + "/" + name;
        boolean absolute = full.startsWith("/") || full.startsWith("\\") || full.matches("[A-Za-z]:.*");
        if (full.isEmpty() || absolute || List.of(full.split("[/\\\\]")).contains("..")) {
            throw refused(full, "expected paths below the archive's own folder, found this one");
        }
        return full;
    }

    private long size(String name) {
        long size = octal(124, 12);
        if (size < 0) {
            throw refused(name, "expected its size as an octal number, found none (or one of 8 GiB and more)");
        }
        return size;
    }

    private void expectRoom(String name, long size) {
        total += size;
        if (total > MAX_TOTAL || names.size() >= MAX_ENTRIES) {
            throw refused(
                    name,
                    String.format(
                            Locale.ROOT,
                            "expected at most %,d files of together %,d bytes, found more",
                            MAX_ENTRIES,
                            MAX_TOTAL));
        }
    }

    /** −1 if the field is not an octal number, padded with spaces and NUL. */
    private long octal(int offset, int length) {
        String digits = text(offset, length).strip();
        return digits.matches("[0-7]{1,12}") ? Long.parseLong(digits, 8) : -1;
    }

    private String text(int offset, int length) {
        int end = offset;
        while (end < offset + length && block[end] != 0) {
            end++;
        }
        return new String(block, offset, end - offset, StandardCharsets.ISO_8859_1);
    }

    private static String kind(char type) {
        return switch (type) {
            case '1' -> "a hard link";
            case '2' -> "a symbolic link";
            case '3', '4' -> "a device";
            case '5' -> "a folder with content";
            case '6' -> "a pipe";
            case 'x', 'g', 'L', 'K' -> "an extended header (repack with tar --format=ustar)";
            default -> "an entry of type " + (int) type;
        };
    }

    private DatasetException refused(String entry, String why) {
        return new DatasetException(path + ": archive entry \"" + printable(entry) + "\" refused: " + why);
    }

    private static String printable(String text) {
        return text.replaceAll("[^\\x20-\\x7E]", "?");
    }

    private DatasetException cut() {
        return new DatasetException(path + ": ends too early: expected the rest of a tar archive, found its end");
    }
}
