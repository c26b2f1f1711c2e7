package bench;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import autograd.check.NetworkCases;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class GateTest {
    @TempDir
    Path folder;

    private List<Gate.Row> rows(String json) throws IOException {
        Path file = folder.resolve("gate.json");
        Files.writeString(file, json);
        return Gate.read(file);
    }

    @Test
    void everyRowOfOurFileNamesACaseAContestantAndAReason() throws IOException {
        List<Gate.Row> rows = Gate.read(Path.of("gate.json"));
        assertTrue(rows.size() >= 10, "rows: " + rows.size());
        for (Gate.Row row : rows) {
            assertTrue(Contestant.CLASSES.containsKey(row.rival()), row.rival());
            assertTrue(List.of("any", "avx2", "avx512").contains(row.isa()), row.isa());
            if (row.task().kind() == Task.Kind.KERNEL)
                assertTrue(
                        NetworkCases.all().stream()
                                .anyMatch(op -> row.task().what().startsWith(op + " / ")),
                        row.task().what());
        }
    }

    @Test
    void aFloorWithoutAReasonIsRefused() throws IOException {
        String row =
                "{\"rows\": [{\"task\": \"step:quick:1\", \"rival\": \"libtorch\", \"floor\": 0.9, \"reason\": \"%s\"}]}";
        assertEquals(0.9, rows(String.format(row, "measured")).get(0).floor());
        assertThrows(IllegalArgumentException.class, () -> rows(String.format(row, " ")));
        assertThrows(IOException.class, () -> rows("{\"rows\": []}"));
    }
}
