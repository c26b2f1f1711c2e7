package tensor.backend;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import tensor.DType;
import tensor.Shape;
import tensor.Tensor;
import tensor.backend.reference.ReferenceBackend;
import tensor.memory.Scope;

class RegionTest {
    private final Backend backend = new ReferenceBackend();
    private Scope scope;

    @BeforeEach
    void open() {
        scope = Scope.open("test");
    }

    @AfterEach
    void close() {
        scope.close();
    }

    private Tensor counting(int... extents) {
        Shape shape = Shape.of(extents);
        double[] values = new double[shape.size()];
        for (int i = 0; i < values.length; i++) values[i] = i;
        return Tensor.of(backend, DType.F64, shape, values);
    }

    private double[] read(Region region) {
        Tensor y = Tensor.empty(backend, DType.F64, Shape.of(region.sizes()));
        backend.copy(region, Region.of(y));
        return y.toDoubles();
    }

    @Test
    void aSliceKeepsTheStrides() {
        Tensor x = counting(3, 4);
        assertArrayEquals(new double[] {1, 2, 5, 6, 9, 10}, read(Region.of(x).slice(1, 1, 2)));
        assertArrayEquals(new double[] {6, 10}, read(Region.of(x).slice(0, 1, 2).slice(1, 2, 1)));
        assertArrayEquals(
                new double[] {6, 10}, read(Region.of(x).slice(-2, 1, 2).slice(-1, 2, 1)));
    }

    @Test
    void permuteReadsTheAxesInAnotherOrder() {
        assertArrayEquals(
                new double[] {0, 3, 1, 4, 2, 5}, read(Region.of(counting(2, 3)).permute(1, 0)));
        Tensor x = counting(2, 3, 4);
        double[] turned = read(Region.of(x).permute(2, 0, 1)); // y[c][n][h] = x[n][h][c]
        assertEquals(1 * 12 + 2 * 4 + 3, turned[3 * 6 + 1 * 3 + 2]);
    }

    @Test
    void repeatReadsAnAxisOfExtentOneManyTimes() {
        assertArrayEquals(
                new double[] {0, 0, 0, 1, 1, 1},
                read(Region.of(counting(2), Shape.of(2, 1)).repeat(1, 3)));
    }

    @Test
    void writingARegionLeavesTheRestAlone() {
        Tensor y = Tensor.full(backend, DType.F64, Shape.of(3, 4), -1);
        backend.copy(Region.of(counting(2, 2)), Region.of(y).slice(0, 1, 2).slice(1, 1, 2));
        assertArrayEquals(new double[] {-1, -1, -1, -1, -1, 0, 1, -1, -1, 2, 3, -1}, y.toDoubles());
    }

    @Test
    void regionsOutsideTheTensorAreRefused() {
        Tensor x = counting(3, 4);
        Region all = Region.of(x);
        assertThrows(IllegalArgumentException.class, () -> all.slice(1, 3, 2));
        assertThrows(IllegalArgumentException.class, () -> all.slice(2, 0, 1));
        assertThrows(IllegalArgumentException.class, () -> all.slice(-3, 0, 1));
        assertThrows(IllegalArgumentException.class, () -> all.slice(1, -1, 2));
        assertThrows(IllegalArgumentException.class, () -> all.repeat(0, 2));
        assertThrows(IllegalArgumentException.class, () -> all.permute(0, 0));
        assertThrows(IllegalArgumentException.class, () -> all.permute(0));
        assertThrows(IllegalArgumentException.class, () -> Region.of(x, Shape.of(13)));
        assertThrows(IllegalArgumentException.class, () -> new Region(x, -1, new int[] {1}, new long[] {1}));
    }
}
