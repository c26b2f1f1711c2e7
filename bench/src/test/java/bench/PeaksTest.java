package bench;

import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import org.junit.jupiter.api.Test;

class PeaksTest {
    /** Two units of 16 lanes at 6 GHz are more than there is; a loop that the compiler has removed is far above. */
    @Test
    void arePossible() throws Exception {
        assumeTrue(new ProcessBuilder("which", "g++").start().waitFor() == 0, "there is no g++");
        Peaks peaks = Peaks.measure(1);
        assertTrue(peaks.flopPerSecond() > 1e9 && peaks.flopPerSecond() < 2 * 2 * 16 * 6e9, peaks.toString());
        assertTrue(peaks.bf16PerSecond() < 2 * 2 * 32 * 6e9, peaks.toString());
        assertTrue(peaks.bytesPerSecond() > 1e8 && peaks.bytesPerSecond() < 1e12, peaks.toString());
    }
}
