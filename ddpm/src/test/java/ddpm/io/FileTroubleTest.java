package ddpm.io;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.io.EOFException;
import java.io.IOException;
import java.nio.file.AccessDeniedException;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.NotDirectoryException;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class FileTroubleTest {
    @TempDir
    Path folder;

    /** These say what happened by their class, and have a path for a message. */
    @Test
    void exceptionsOfPathsGetWords() {
        assertEquals(
                "a.png: permission denied; choose another place or change its permissions",
                FileTrouble.sentence(new AccessDeniedException("a.png")));
        assertEquals("a.png: there is no such file or folder", FileTrouble.sentence(new NoSuchFileException("a.png")));
        assertEquals(
                "a.png: this is a file, and a folder is needed",
                FileTrouble.sentence(new NotDirectoryException("a.png")));
        assertEquals(
                "a.png: Read-only file system",
                FileTrouble.sentence(new FileSystemException("a.png", "b.png", "Read-only file system")));
    }

    /** These have words, or not even those, and no path. */
    @Test
    void exceptionsOfOpenFilesGetTheirPath() {
        IOException full = new IOException("No space left on device");
        assertEquals("file trouble: the disk is full; make room on it", FileTrouble.sentence(full));
        FileSystemException named = FileTrouble.with(Path.of("a.png"), full);
        assertEquals("a.png: the disk is full; make room on it", FileTrouble.sentence(named));
        assertSame(full, named.getCause());
        assertEquals(
                "a.png: EOFException", FileTrouble.sentence(FileTrouble.with(Path.of("a.png"), new EOFException())));
    }

    /** It is said once, by whoever knows the file that somebody has asked for. */
    @Test
    void theOutermostNameCounts() {
        IOException inner = FileTrouble.with(Path.of(".a.png.77.tmp"), new AccessDeniedException("x"));
        assertEquals(
                "a.png: permission denied; choose another place or change its permissions",
                FileTrouble.sentence(FileTrouble.with(Path.of("a.png"), inner)));
    }

    /** A folder opens as a file does, and fails when it is read, without a name. */
    @Test
    void aFolderInThePlaceOfWeightsIsNamed() throws IOException {
        Path weights = Files.createDirectory(folder.resolve("w.safetensors"));
        IOException e = assertThrows(IOException.class, () -> SafetensorsFile.read(weights));
        assertEquals(weights + ": this is a folder, and a file is needed", FileTrouble.sentence(e));
    }
}
