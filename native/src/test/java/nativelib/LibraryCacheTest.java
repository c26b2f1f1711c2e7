package nativelib;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;

import java.io.IOException;
import java.io.OutputStream;
import java.net.URL;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.jar.JarEntry;
import java.util.jar.JarOutputStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class LibraryCacheTest {
    @TempDir
    Path folder;

    private URL file(String contents) throws IOException {
        return Files.writeString(folder.resolve("lib.so"), contents).toUri().toURL();
    }

    private URL inJar(String contents) throws IOException {
        Path jar = Files.createTempFile(folder, "some", ".jar");
        try (OutputStream out = Files.newOutputStream(jar);
                JarOutputStream entries = new JarOutputStream(out)) {
            entries.putNextEntry(new JarEntry("a/lib.so"));
            entries.write(contents.getBytes());
        }
        return new URL("jar:" + jar.toUri() + "!/a/lib.so");
    }

    @Test
    void aFileIsUnpackedOnceAndFoundAfterwards() throws IOException {
        LibraryCache cache = new LibraryCache(folder.resolve("cache"));
        for (URL source : new URL[] {file("contents"), inJar("contents")}) {
            Path first = cache.unpack(source);
            assertEquals("contents", Files.readString(first));
            assertEquals("lib.so", first.getFileName().toString(), "the loader looks it up by this name");
            Files.setLastModifiedTime(first, FileTime.fromMillis(0));
            assertEquals(first, cache.unpack(source));
            assertEquals(0, Files.getLastModifiedTime(first).toMillis(), "not written again");
        }
    }

    @Test
    void otherContentsOfTheSameSizeAreAnotherFile() throws IOException {
        LibraryCache cache = new LibraryCache(folder.resolve("cache"));
        Path before = cache.unpack(file("version 1"));
        Path after = cache.unpack(file("version 2"));
        assertNotEquals(before, after);
        assertEquals("version 1", Files.readString(before));
        assertEquals("version 2", Files.readString(after));
    }

    @Test
    void aTruncatedFileIsReplacedAndNothingHalfWrittenStays() throws IOException {
        LibraryCache cache = new LibraryCache(folder.resolve("cache"));
        URL source = file("contents");
        Path unpacked = cache.unpack(source);
        Files.writeString(unpacked, "cont");
        assertEquals("contents", Files.readString(cache.unpack(source)));
        try (Stream<Path> all = Files.list(unpacked.getParent())) {
            assertEquals(1, all.count());
        }
    }

    @Test
    void theCacheIsWhereTheSpecificationSays() {
        assertEquals(Path.of("/c/ddpm-java/native"), LibraryCache.userFolder("/c", "/home/u"));
        assertEquals(Path.of("/home/u/.cache/ddpm-java/native"), LibraryCache.userFolder(null, "/home/u"));
        assertEquals(Path.of("/home/u/.cache/ddpm-java/native"), LibraryCache.userFolder("", "/home/u"));
        assertEquals(Path.of("/home/u/.cache/ddpm-java/native"), LibraryCache.userFolder("relative", "/home/u"));
    }

    @Test
    void theCacheIsPrivateAndOneAmongTemporaryFilesReplacesOneThatCannotBeWritten() throws IOException {
        Path temporary = Files.createDirectory(folder.resolve("tmp"));
        Path own = LibraryCache.writable(folder.resolve("own"), temporary);
        assertEquals(folder.resolve("own"), own);
        assertEquals("rwx------", permissions(own));
        Path inTheWay = Files.writeString(folder.resolve("file"), "");
        Path instead = LibraryCache.writable(inTheWay.resolve("native"), temporary);
        assertEquals(temporary, instead.getParent().getParent());
        assertEquals("rwx------", permissions(instead.getParent()));
        Path unknownHome = LibraryCache.userFolder(null, "?");
        assertEquals(instead, LibraryCache.writable(unknownHome, temporary), "the same in every run");
        assertEquals("contents", Files.readString(new LibraryCache(instead).unpack(file("contents"))));
    }

    @Test
    void aTemporaryFolderThatOthersCouldWriteToIsNotUsed() throws IOException {
        Path own = LibraryCache.ownFolder(folder);
        assertEquals(own, LibraryCache.ownFolder(folder));
        Files.setPosixFilePermissions(own, PosixFilePermissions.fromString("rwxrwxrwx"));
        Path another = LibraryCache.ownFolder(folder);
        assertNotEquals(own, another);
        assertEquals("rwx------", permissions(another));
        Files.delete(own);
        Files.createSymbolicLink(own, another);
        assertNotEquals(own, LibraryCache.ownFolder(folder));
        Path missing = LibraryCache.ownFolder(folder.resolve("missing"));
        assertEquals("rwx------", permissions(missing));
        assertEquals(missing, LibraryCache.ownFolder(folder.resolve("missing")));
    }

    private static String permissions(Path path) throws IOException {
        return PosixFilePermissions.toString(Files.getPosixFilePermissions(path));
    }
}
