package ddpm.io;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class WholeFileTest {
    @TempDir
    Path folder;

    private static byte[] bytes(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }

    private List<String> names() throws IOException {
        try (Stream<Path> children = Files.list(folder)) {
            return children.map(path -> path.getFileName().toString()).sorted().toList();
        }
    }

    /** The first operation fails, then the second, … until a write meets no failure. */
    @Test
    void whicheverOperationFailsTheFormerFileStays() throws IOException {
        Path file = folder.resolve("a.txt");
        WholeFile.write(file, bytes("former"));
        int n = 2; // the folder, which is there, comes first
        for (; ; n++) {
            FailingStorage storage = new FailingStorage(n);
            try {
                WholeFile.write(file, out -> out.write(ByteBuffer.wrap(bytes("new"))), storage);
                break;
            } catch (IOException e) {
                assertEquals(file + ": the disk is full; make room on it", FileTrouble.sentence(e));
                assertEquals("former", Files.readString(file));
                assertEquals(List.of("a.txt"), names());
            }
        }
        assertEquals(6, n, "make the folder, create, write, force, move");
        assertEquals("new", Files.readString(file));
    }

    /** Contents that cannot be made are no reason to lose those that were there. */
    @Test
    void contentsThatFailLeaveTheFormerFile() throws IOException {
        Path file = folder.resolve("a.txt");
        WholeFile.write(file, bytes("former"));
        assertThrows(
                IllegalStateException.class,
                () -> WholeFile.write(file, out -> {
                    out.write(ByteBuffer.wrap(bytes("half")));
                    throw new IllegalStateException("no more");
                }));
        assertEquals("former", Files.readString(file));
        assertEquals(List.of("a.txt"), names());
    }

    @Test
    void foldersAreMade() throws IOException {
        Path file = folder.resolve("new/deep/a.txt");
        WholeFile.write(file, bytes("text"));
        assertEquals("text", Files.readString(file));
    }

    @Test
    void whatAKilledProcessOfTheSameNumberLeftIsNotInTheWay() throws IOException {
        Files.writeString(folder.resolve(".a.txt." + ProcessHandle.current().pid() + ".tmp"), "half");
        WholeFile.write(folder.resolve("a.txt"), bytes("whole"));
        assertEquals(List.of("a.txt"), names());
        assertEquals("whole", Files.readString(folder.resolve("a.txt")));
    }

    /** Nobody knows the file beside it: not even root may put one in the place of a folder, or below a file. */
    @Test
    void troubleIsSaidOfTheFileThatWasAskedFor() throws IOException {
        Files.createDirectory(folder.resolve("a folder"));
        Files.createFile(folder.resolve("file"));
        for (String[] expected : new String[][] {
            {"a folder", "a folder: this is a folder, and a file is needed"},
            {"file/a.txt", "file: something of this name is in the way; choose another name or move it"},
            {"file/new/a.txt", "file/new: a part of this path is a file, and a folder is needed"}
        }) {
            FileSystemException e = assertThrows(
                    FileSystemException.class, () -> WholeFile.write(folder.resolve(expected[0]), bytes("text")));
            assertEquals(folder.resolve(expected[1]).toString(), FileTrouble.sentence(e));
        }
        assertEquals(List.of("a folder", "file"), names());
    }
}
