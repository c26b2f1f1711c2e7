package nativelib;

import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.net.JarURLConnection;
import java.net.URL;
import java.net.URLConnection;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.PosixFileAttributes;
import java.nio.file.attribute.PosixFilePermission;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.Set;
import java.util.jar.JarEntry;
import java.util.zip.CRC32;

/**
 * Files unpacked from the class path, kept between runs: the system loads libraries from files only, and oneDNN is too
 * large to unpack every time. Each file lies in a folder named after it, its checksum and its size, so two versions never meet.
 */
public final class LibraryCache {
    private static final Path SELF = Path.of("/proc/self"); // belongs to who runs this process
    private static final Set<PosixFilePermission> PRIVATE = PosixFilePermissions.fromString("rwx------");

    private final Path root;

    LibraryCache(Path root) {
        this.root = root;
    }

    /** The folder everything lies in. */
    public Path root() {
        return root;
    }

    /**
     * {@code $XDG_CACHE_HOME/ddpm-java/native}, else {@code ~/.cache/ddpm-java/native}; where that cannot be written, a
     * folder of the user's among the temporary files.
     */
    public static LibraryCache ofUser() {
        return OfUser.CACHE;
    }

    /** Found once: a folder that had to be made anew is one and the same for all that this process keeps. */
    private static final class OfUser {
        static final LibraryCache CACHE = new LibraryCache(writable(
                userFolder(System.getenv("XDG_CACHE_HOME"), System.getProperty("user.home")),
                Path.of(System.getProperty("java.io.tmpdir"))));
    }

    /** The specification asks to ignore a relative XDG_CACHE_HOME; a home that is not known is called "?". */
    static Path userFolder(String xdgCacheHome, String home) {
        boolean given = xdgCacheHome != null && xdgCacheHome.startsWith("/");
        return (given ? Path.of(xdgCacheHome) : Path.of(home, ".cache")).resolve("ddpm-java/native");
    }

    /** The folder itself, readable by its owner only, or one below {@code temporary}. */
    static Path writable(Path folder, Path temporary) {
        try {
            if (folder.isAbsolute()) {
                Files.createDirectories(folder);
                Files.setPosixFilePermissions(folder, PRIVATE);
                if (Files.isWritable(folder)) return folder;
            }
        } catch (IOException e) {
            // not ours, or on a read-only disk
        }
        return ownFolder(temporary).resolve("native");
    }

    /**
     * This user's folder below one that everybody may write to, the same in every run. Who has it may put code into our
     * process, so where another one lies in its place a new one is made.
     */
    static Path ownFolder(Path temporary) {
        Path folder = temporary;
        try {
            folder = temporary.resolve("ddpm-java-" + Files.getAttribute(SELF, "unix:uid"));
            if (!Files.exists(folder, LinkOption.NOFOLLOW_LINKS))
                Files.createDirectories(folder, PosixFilePermissions.asFileAttribute(PRIVATE));
            PosixFileAttributes found =
                    Files.readAttributes(folder, PosixFileAttributes.class, LinkOption.NOFOLLOW_LINKS);
            boolean ours = found.isDirectory()
                    && found.owner().equals(Files.getOwner(SELF))
                    && found.permissions().equals(PRIVATE);
            return ours ? folder : Files.createTempDirectory(temporary, "ddpm-java-");
        } catch (IOException e) {
            return folder; // unpacking will tell what is wrong with it
        }
    }

    /** The file with the contents of {@code source}: found, or written beside and then renamed. */
    public Path unpack(URL source) throws IOException {
        String path = source.getPath();
        String name = path.substring(path.lastIndexOf('/') + 1);
        URLConnection connection = source.openConnection();
        JarEntry entry = connection instanceof JarURLConnection jar ? jar.getJarEntry() : null;
        long crc = entry == null ? checksum(source) : entry.getCrc();
        long size = entry == null ? connection.getContentLengthLong() : entry.getSize();
        try (InputStream in = connection.getInputStream()) {
            return keep(name, crc, size, in);
        }
    }

    /** The file of this name with these contents: found, or written beside and then renamed. */
    public Path keep(String name, byte[] contents) throws IOException {
        CRC32 crc = new CRC32();
        crc.update(contents);
        return keep(name, crc.getValue(), contents.length, new ByteArrayInputStream(contents));
    }

    private Path keep(String name, long crc, long size, InputStream contents) throws IOException {
        Path folder = root.resolve(name + "-" + Long.toHexString(crc) + "-" + size);
        Path file = folder.resolve(name);
        if (Files.exists(file) && Files.size(file) == size) return file;
        Files.createDirectories(folder);
        Path half = Files.createTempFile(folder, name, ".part");
        try {
            Files.copy(contents, half, StandardCopyOption.REPLACE_EXISTING);
            Files.move(half, file, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
        } finally {
            Files.deleteIfExists(half);
        }
        return file;
    }

    private static long checksum(URL source) throws IOException {
        CRC32 crc = new CRC32();
        byte[] block = new byte[1 << 16];
        try (InputStream in = source.openStream()) {
            for (int n; (n = in.read(block)) >= 0; ) crc.update(block, 0, n);
        }
        return crc.getValue();
    }
}
