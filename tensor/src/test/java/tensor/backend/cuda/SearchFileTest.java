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

class SearchFileTest {
    @TempDir
    Path folder;

    @Test
    void whatOneRunFindsTheNextKnowsOnTheSameDeviceAndVersionOnly() {
        new SearchFile(folder, "norms", "GPU 1", "9.5.1").put("x", "6 4096");
        assertEquals("6 4096", new SearchFile(folder, "norms", "GPU 1", "9.5.1").get("x"));
        assertNull(new SearchFile(folder, "norms", "GPU 1", "9.6.0").get("x"));
        assertNull(new SearchFile(folder, "norms", "GPU 2", "9.5.1").get("x"));
        assertNull(new SearchFile(folder, "convolutions", "GPU 1", "9.5.1").get("x"));
    }

    @Test
    void aTornLineIsPassedOver() throws IOException {
        ConvolutionAlgorithm algorithm = new ConvolutionAlgorithm(1, 2, false, true);
        new SearchFile(folder, "convolutions", "GPU", "9").put("a", algorithm.words());
        try (Stream<Path> files = Files.list(folder)) {
            Files.writeString(files.findFirst().orElseThrow(), "b 3\nc x 4 true true\nd", StandardOpenOption.APPEND);
        }
        SearchFile again = new SearchFile(folder, "convolutions", "GPU", "9");
        assertEquals(algorithm, ConvolutionAlgorithm.of(again.get("a")));
        for (String key : new String[] {"b", "c", "d"}) assertNull(ConvolutionAlgorithm.of(again.get(key)));
    }
}
