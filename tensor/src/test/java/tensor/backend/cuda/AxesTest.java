package tensor.backend.cuda;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import org.junit.jupiter.api.Test;

class AxesTest {
    private static int[] written(Axes axes) {
        ByteBuffer to = ByteBuffer.allocate(Axes.BYTES).order(ByteOrder.nativeOrder());
        axes.write(to, 0);
        int[] numbers = new int[1 + 3 * Axes.MOST];
        to.asIntBuffer().get(numbers);
        return numbers;
    }

    @Test
    void neighboursThatFormOneRunInBothArraysAreMerged() {
        Axes axes = new Axes().add(2, 30, 30).add(1, 99, 7).add(3, 10, 10).add(10, 1, 1);
        int[] numbers = written(axes);
        assertEquals(1, numbers[0]);
        assertEquals(60, numbers[1]);
        assertEquals(60, axes.count());
    }

    @Test
    void whatIsARunInOneArrayOnlyStaysApartInnermostFirst() {
        int[] numbers = written(new Axes().add(4, 5, 0).add(5, 1, 1)); // b [5] broadcast to [4, 5]
        assertEquals(2, numbers[0]);
        assertEquals(5, numbers[1]);
        assertEquals(4, numbers[2]);
        assertEquals(1, numbers[1 + Axes.MOST]);
        assertEquals(5, numbers[2 + Axes.MOST]);
        assertEquals(0, numbers[2 + 2 * Axes.MOST]);
    }

    @Test
    void oneElementIsAnAxisOfExtentOneAndTooManyAxesAreRefused() {
        int[] numbers = written(new Axes().add(1, 5, 5));
        assertEquals(1, numbers[0]);
        assertEquals(1, numbers[1]);
        Axes many = new Axes();
        for (int i = 0; i < 7; i++) many.add(2, 3 << 2 * i, 1 << i);
        assertThrows(IllegalArgumentException.class, () -> written(many));
    }
}
