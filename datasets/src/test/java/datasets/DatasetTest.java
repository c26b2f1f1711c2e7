package datasets;

import static datasets.Fixtures.refuses;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import org.junit.jupiter.api.Test;

class DatasetTest {
    @Test
    void bytesMapOntoMinusOneToOne() {
        byte[] all = new byte[256];
        for (int v = 0; v < 256; v++) {
            all[v] = (byte) v;
        }
        float[] x = new float[256];
        Dataset.of("ramp", 16, 16, 1, all, null).read(0, x, 0, false);
        assertEquals(-1f, x[0]);
        assertEquals(1f, x[255]);
        for (int v = 0; v < 256; v++) {
            assertEquals((float) (v * 2 / 255.0 - 1), x[v]);
            assertEquals(x[v], -x[255 - v], 1e-7f, "symmetric about 0");
        }
    }

    @Test
    void aFlipMirrorsColumnsAndKeepsChannelsTogether() {
        byte[] pixels = {1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 12, 13, 14, 15, 16, 17, 18, 19}; // [1,2,3,3]
        float[] plain = new float[20];
        float[] mirrored = new float[20];
        Dataset set = Dataset.of("tiny", 2, 3, 3, pixels, null);
        set.read(0, plain, 2, false);
        set.read(0, mirrored, 2, true);
        assertEquals(0f, mirrored[1], "nothing before the offset");
        for (int h = 0; h < 2; h++) {
            for (int w = 0; w < 3; w++) {
                for (int c = 0; c < 3; c++) {
                    assertEquals(plain[2 + (h * 3 + 2 - w) * 3 + c], mirrored[2 + (h * 3 + w) * 3 + c]);
                }
            }
        }
    }

    @Test
    void indicesAndRoomAreChecked() {
        Dataset set = Dataset.of("tiny", 2, 2, 1, new byte[8], new int[] {1, 2});
        assertThrows(IndexOutOfBoundsException.class, () -> set.pixels(2));
        assertThrows(IndexOutOfBoundsException.class, () -> set.label(-1));
        assertThrows(IndexOutOfBoundsException.class, () -> set.read(0, new float[5], 2, false));
        assertThrows(IndexOutOfBoundsException.class, () -> set.read(2, new float[4], 0, true));
    }

    @Test
    void identityDependsOnShapeAndPixelsNotOnLabels() {
        byte[] pixels = Fixtures.random(24, 1);
        String sha = Dataset.of("a", 2, 3, 1, pixels, null).sha256();
        assertEquals(sha, Dataset.of("b", 2, 3, 1, pixels.clone(), new int[4]).sha256());
        assertNotEquals(sha, Dataset.of("a", 3, 2, 1, pixels, null).sha256());
        assertEquals(64, sha.length());
    }

    @Test
    void malformedArraysAreRefused() {
        refuses(() -> Dataset.of("x", 2, 2, 1, new byte[7], null), "pixels", "multiple of 4", "7 bytes");
        refuses(() -> Dataset.of("x", 2, 2, 1, new byte[0], null), "pixels");
        refuses(() -> Dataset.of("x", 2, 2, 2, new byte[8], null), "1 or 3 channels");
        refuses(() -> Dataset.of("x", 2, 2, 1, new byte[8], new int[3]), "labels", "expected 2", "found 3");
    }

    @Test
    void whatNoArrayOrHeapHoldsIsRefusedBeforeItIsAllocated() {
        refuses(() -> new Extent(1_000_000, 64, 64, 3).expectToFit("somewhere"), "somewhere", "12,288,000,000 bytes");
        int most = Integer.MAX_VALUE - 16;
        if (Runtime.getRuntime().maxMemory() / 4 * 3 < most) {
            refuses(() -> new Extent(most, 1, 1, 1).expectToFit("somewhere"), "raise -Xmx");
        }
    }

    @Test
    void resizingKeepsLabelsAndIdentity() {
        InMemoryDataset set =
                new InMemoryDataset("r", new Extent(2, 4, 6, 1), Fixtures.random(48, 2), new int[] {5, 6});
        InMemoryDataset small = set.resized(2);
        assertEquals(4, small.values());
        assertEquals(6, small.label(1));
        assertEquals(set.sha256(), small.sha256());
        byte[] expected = new byte[4];
        Resample.cover(set.pixels(1), 4, 6, 1, expected, 0, 2, 2);
        assertArrayEquals(expected, small.pixels(1));
    }
}
