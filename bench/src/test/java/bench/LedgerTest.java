package bench;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class LedgerTest {
    private static final Rounds.Result RESULT =
            new Rounds.Result(Map.of("ours", List.of(1.5, 2.0)), Map.of("ours", 12L), 3, 0.25);

    @TempDir
    Path folder;

    private int measured;

    private Rounds.Result measure() {
        measured++;
        return RESULT;
    }

    @Test
    void whatIsKeptIsNotMeasuredAgain() {
        Path file = folder.resolve("new/ledger.jsonl");
        assertEquals(RESULT, Ledger.at(file).get("step", 5, this::measure));
        Ledger again = Ledger.at(file);
        assertEquals(RESULT, again.get("step", 5, this::measure));
        assertEquals(1, measured);
        again.get("another", 5, this::measure);
        assertEquals(2, measured);
    }

    @Test
    void moreRoundsAreMeasuredAnew() {
        Path file = folder.resolve("ledger.jsonl");
        Ledger.at(file).get("step", 3, this::measure);
        Ledger.at(file).get("step", 11, this::measure);
        assertEquals(2, measured);
    }

    @Test
    void aLineThatWasCutDoesNotCount() throws IOException {
        Path file = folder.resolve("ledger.jsonl");
        Ledger.at(file).get("first", 5, this::measure);
        Files.writeString(file, "{\"key\":\"second\",\"millis", StandardOpenOption.APPEND);
        Ledger.at(file).get("second", 5, this::measure);
        assertEquals(2, measured);
        Ledger.at(file).get("first", 5, this::measure);
        assertEquals(2, measured);
    }
}
