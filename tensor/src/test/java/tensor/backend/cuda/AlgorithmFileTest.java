package tensor.backend.cuda;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class AlgorithmFileTest {
    @TempDir
    Path folder;

    @Test
    void whatOneRunFindsTheNextKnowsOnTheSameDeviceAndVersionOnly() {
        new AlgorithmFile(folder, "GPU 1", "9.5.1").put("FORWARD-x", new ConvolutionAlgorithm(6, 4096, true, false));
        assertEquals(
                new ConvolutionAlgorithm(6, 4096, true, false),
                new AlgorithmFile(folder, "GPU 1", "9.5.1").get("FORWARD-x"));
        assertNull(new AlgorithmFile(folder, "GPU 1", "9.6.0").get("FORWARD-x"));
        assertNull(new AlgorithmFile(folder, "GPU 2", "9.5.1").get("FORWARD-x"));
    }

    @Test
    void aTornLineIsPassedOver() throws IOException {
        new AlgorithmFile(folder, "GPU", "9").put("a", new ConvolutionAlgorithm(1, 2, false, true));
        try (Stream<Path> files = Files.list(folder)) {
            Files.writeString(files.findFirst().orElseThrow(), "b 3\nc x 4 true true\n", StandardOpenOption.APPEND);
        }
        AlgorithmFile again = new AlgorithmFile(folder, "GPU", "9");
        assertEquals(new ConvolutionAlgorithm(1, 2, false, true), again.get("a"));
        assertNull(again.get("b"));
        assertNull(again.get("c"));
    }
}
