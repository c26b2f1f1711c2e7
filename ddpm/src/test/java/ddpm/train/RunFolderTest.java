package ddpm.train;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import ddpm.io.CheckpointException;
import ddpm.io.FileTrouble;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class RunFolderTest {
    @TempDir
    Path runs;

    /** Data may be called as anything; only a name that a person chose is refused. */
    @ParameterizedTest
    @CsvSource({
        "my pictures, my-pictures",
        "\u043a\u043e\u0442\u044b, data",
        ".hidden, hidden",
        "_x, x",
        "caf\u00e9 (2), caf-2",
        "fashion, fashion",
        "v1.2_final, v1.2_final"
    })
    void dataOfAnyNameGivesARunAName(String data, String start) throws IOException {
        try (RunFolder folder = RunFolder.create(runs, null, data)) {
            String name = folder.path().getFileName().toString();
            assertTrue(name.matches(java.util.regex.Pattern.quote(start) + "-\\d{8}-\\d{6}"), name);
        }
    }

    @Test
    void aLongNameOfDataIsCut() throws IOException {
        try (RunFolder folder = RunFolder.create(runs, null, "x".repeat(200))) {
            assertEquals(100, folder.path().getFileName().toString().length());
        }
    }

    /** A run whose first checkpoint never came about is no run to go on with. */
    @Test
    void theNewestRunIsOneThatCanGoOn() throws IOException {
        assertEquals(Optional.empty(), RunFolder.newest(runs));
        Path old = Files.createDirectories(runs.resolve("old/checkpoints/step-00000007"));
        Path late = Files.createDirectories(runs.resolve("late/checkpoints"));
        Files.setLastModifiedTime(old.getParent(), FileTime.fromMillis(1_000_000));
        Files.setLastModifiedTime(late, FileTime.fromMillis(2_000_000));
        assertEquals(Optional.of(runs.resolve("old")), RunFolder.newest(runs));
        Files.createDirectory(late.resolve("step-00000001"));
        Files.setLastModifiedTime(late, FileTime.fromMillis(2_000_000));
        assertEquals(Optional.of(runs.resolve("late")), RunFolder.newest(runs));
    }

    /** Nothing is left beside it, to lie in the run for ever. */
    @Test
    void aConfigThatCannotBeWrittenLeavesNothing() throws IOException {
        try (RunFolder folder = RunFolder.create(runs, "run", "fashion")) {
            Path taken = Files.createDirectory(folder.path().resolve("config.json"));
            IOException e = assertThrows(IOException.class, () -> folder.writeConfig(Map.of("lr", 0.5)));
            assertEquals(taken + ": this is a folder, and a file is needed", FileTrouble.sentence(e));
            try (Stream<Path> children = Files.list(folder.path())) {
                assertEquals(
                        Set.of("config.json", "run.lock"),
                        children.map(path -> path.getFileName().toString()).collect(Collectors.toSet()));
            }
        }
    }

    /** Numbers as a damaged file has them. */
    @ParameterizedTest
    @ValueSource(longs = {0, -1, 65536, 2147483648L, 4294967324L, Long.MAX_VALUE})
    void imagesThatNoArrayHoldsAreRefused(long side) {
        Path file = runs.resolve("model.safetensors");
        Map<String, Object> config = Map.of("about", Map.of("image", List.of(side, 65536L, 1L)));
        CheckpointException e = assertThrows(CheckpointException.class, () -> RunFolder.imageOf(file, config));
        assertTrue(e.getMessage().contains("about.image"), e.getMessage());
    }

    @Test
    void imagesAndClassesAreRead() {
        Map<String, Object> about = Map.of("image", List.of(28L, 32L, 3L), "classes", 10L);
        assertArrayEquals(new int[] {28, 32, 3}, RunFolder.imageOf(runs, Map.of("about", about)));
        assertEquals(10, RunFolder.classesOf(runs, Map.of("about", about)));
        assertEquals(0, RunFolder.classesOf(runs, Map.of()));
    }

    @ParameterizedTest
    @ValueSource(longs = {-1, 1048577, 4294967306L, Long.MAX_VALUE})
    void classesThatNoDataHasAreRefused(long classes) {
        Map<String, Object> config = Map.of("about", Map.of("classes", classes));
        CheckpointException e = assertThrows(CheckpointException.class, () -> RunFolder.classesOf(runs, config));
        assertTrue(e.getMessage().contains("a whole number in 0..1048576, not " + classes), e.getMessage());
    }

    @Test
    void aNameThatIsGivenIsTakenAsItIs() {
        assertThrows(IllegalArgumentException.class, () -> RunFolder.create(runs, "my run", "fashion"));
    }
}
