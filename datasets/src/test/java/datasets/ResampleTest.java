package datasets;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.Arrays;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class ResampleTest {
    private static byte[] cover(byte[] source, int h, int w, int c, int toH, int toW) {
        byte[] target = new byte[toH * toW * c];
        Resample.cover(source, h, w, c, target, 0, toH, toW);
        return target;
    }

    @Test
    void equalSizesAreAnExactCopy() {
        byte[] source = Fixtures.random(13 * 7 * 3, 1);
        assertArrayEquals(source, cover(source, 13, 7, 3, 13, 7));
    }

    @Test
    void halvingAveragesFourPixels() {
        byte[] source = {0, 10, (byte) 200, (byte) 200, 20, 30, (byte) 200, (byte) 204};
        assertArrayEquals(new byte[] {15, (byte) 201}, cover(source, 2, 4, 1, 1, 2));
    }

    @Test
    void aFractionalScaleWeighsByCoveredArea() {
        byte[] source = {0, 0, 0, 90, 90, 90, (byte) 180, (byte) 180, (byte) 180}; // rows 0, 90, 180
        // [0, 1.5) = (1·0 + ½·90)/1.5 = 30; [1.5, 3) = (½·90 + 1·180)/1.5 = 150
        assertArrayEquals(new byte[] {30, 30, (byte) 150, (byte) 150}, cover(source, 3, 3, 1, 2, 2));
    }

    @Test
    void theOverhangIsCutOnBothSides() {
        byte[] source = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10}; // 2 x 5
        assertArrayEquals(new byte[] {3, 8}, cover(source, 2, 5, 1, 2, 1));
        assertArrayEquals(new byte[] {2, 3, 4}, cover(new byte[] {1, 2, 3, 4, 5}, 1, 5, 1, 1, 3));
    }

    @Test
    void enlargingInterpolatesBetweenCentres() {
        assertArrayEquals(new byte[] {0, 25, 75, 100, 0, 25, 75, 100}, cover(new byte[] {0, 100}, 1, 2, 1, 2, 4));
    }

    @ParameterizedTest
    @CsvSource({"1,1,5,9", "31,17,8,8", "100,3,7,2", "8,8,13,7", "64,48,32,32"})
    void aConstantStaysConstant(int h, int w, int toH, int toW) {
        byte[] source = new byte[h * w * 3];
        Arrays.fill(source, (byte) 201);
        for (byte v : cover(source, h, w, 3, toH, toW)) {
            assertEquals((byte) 201, v);
        }
    }
}
