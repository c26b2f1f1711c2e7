package tensor;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.Test;

class ShapeTest {
    @Test
    void sizeIsTheProductOfTheExtentsAndAScalarHasOneElement() {
        assertEquals(2 * 13 * 7 * 3, Shape.of(2, 13, 7, 3).size());
        assertEquals(1, Shape.SCALAR.size());
        assertEquals(0, Shape.SCALAR.rank());
    }

    @Test
    void equalExtentsMakeEqualShapes() {
        assertEquals(Shape.of(2, 3), Shape.of(2, 3));
        assertEquals(Shape.of(2, 3).hashCode(), Shape.of(2, 3).hashCode());
        assertNotEquals(Shape.of(2, 3), Shape.of(3, 2));
        assertNotEquals(Shape.of(2, 3), Shape.of(1, 2, 3));
    }

    @Test
    void aShapeDoesNotChangeWithTheArraysAroundIt() {
        int[] extents = {2, 3};
        Shape shape = Shape.of(extents);
        extents[0] = 9;
        shape.toArray()[1] = 9;
        assertEquals(Shape.of(2, 3), shape);
    }

    @Test
    void negativeAxesCountFromTheEnd() {
        Shape shape = Shape.of(2, 3, 5);
        assertEquals(5, shape.get(-1));
        assertEquals(2, shape.get(-3));
        assertEquals(Shape.of(2, 3, 7), shape.with(-1, 7));
        String message =
                assertThrows(IllegalArgumentException.class, () -> shape.get(3)).getMessage();
        assertEquals("shape [2, 3, 5] has no axis 3", message);
    }

    @Test
    void theLastAxisIsContiguous() {
        assertArrayEquals(new long[] {273, 21, 3, 1}, Shape.of(2, 13, 7, 3).strides());
        assertArrayEquals(new long[] {}, Shape.SCALAR.strides());
    }

    @Test
    void aStretchedArrayStaysWhereItIsAlongTheAxesThatStretch() {
        Shape images = Shape.of(2, 13, 7, 3);
        assertArrayEquals(images.strides(), images.stridesIn(images));
        assertArrayEquals(new long[] {0, 0, 0, 1}, Shape.of(3).stridesIn(images));
        assertArrayEquals(new long[] {7, 0, 1, 0}, Shape.of(2, 1, 7, 1).stridesIn(images));
        assertArrayEquals(new long[4], Shape.SCALAR.stridesIn(images));
    }

    @Test
    void aRowIsWhatLiesAtOneIndexOfTheFirstAxis() {
        assertEquals(13 * 7 * 3, Shape.of(2, 13, 7, 3).rowSize());
        assertEquals(1, Shape.of(5).rowSize());
    }

    @Test
    void anExtentOfOneStretchesAndAxesAreAlignedAtTheEnd() {
        Shape images = Shape.of(2, 13, 7, 3);
        assertEquals(images, images.broadcast(Shape.of(3)));
        assertEquals(images, Shape.SCALAR.broadcast(images));
        assertEquals(Shape.of(5, 7), Shape.of(5, 1).broadcast(Shape.of(1, 7)));
        assertTrue(Shape.of(2, 1, 1, 3).broadcastsTo(images));
        assertFalse(images.broadcastsTo(Shape.of(3)));
        assertFalse(Shape.of(2).broadcastsTo(images));
    }

    @Test
    void shapesThatDoNotFitAreBothNamed() {
        String message = assertThrows(
                        IllegalArgumentException.class, () -> Shape.of(2, 3).broadcast(Shape.of(4)))
                .getMessage();
        assertEquals("cannot broadcast [2, 3] with [4]", message);
        message = assertThrows(
                        IllegalArgumentException.class, () -> Shape.of(2, 3).expect(-1, 4))
                .getMessage();
        assertEquals("expected shape [*, 4], found [2, 3]", message);
        assertEquals(Shape.of(2, 3), Shape.of(2, 3).expect(-1, 3));
    }

    @Test
    void emptyAndGiganticShapesAreRefused() {
        assertThrows(IllegalArgumentException.class, () -> Shape.of(2, 0));
        assertThrows(IllegalArgumentException.class, () -> Shape.of(-1));
        assertThrows(IllegalArgumentException.class, () -> Shape.of(1 << 16, 1 << 16));
        assertThrows(IllegalArgumentException.class, () -> Shape.of(1 << 30, 1 << 30, 1 << 30));
    }
}
