package datasets;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.Test;

class ChapterTest {
    private int images;

    private void step(float[] pixels, int count) {
        for (int k = 0; k < count * 28 * 28; k++) {
            assertTrue(-1 <= pixels[k] && pixels[k] <= 1);
        }
        images += count;
    }

    @Test
    void oneEpochOfTheBundledImages() {
        Dataset fashion = Datasets.bundled(); // Datasets.open("fashion") where no fuller set is installed
        try (DataLoader loader =
                DataLoader.over(fashion, 128, 42).randomFlips(true).open()) {
            for (int b = 0; b < loader.batchesPerEpoch(); b++) {
                Batch batch = loader.next();
                step(batch.pixels(), batch.count());
            }
            assertEquals(new DataLoader.State(42, 1, 0), loader.state());
        }
        assertEquals(10_000, images);
    }
}
