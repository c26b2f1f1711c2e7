package tensor;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;

import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import tensor.backend.Backend;
import tensor.backend.Distribution;
import tensor.backend.ReduceOp;
import tensor.backend.reference.ReferenceBackend;
import tensor.memory.Scope;

class TensorTest {
    private final Backend backend = new ReferenceBackend();
    private Scope scope;

    @BeforeEach
    void open() {
        scope = Scope.open("test");
    }

    @AfterEach
    void close() {
        scope.close();
        backend.close();
    }

    private Tensor of(Shape shape, double... values) {
        return Tensor.of(backend, DType.F64, shape, values);
    }

    @Test
    void reshapeSharesTheMemoryAndWorksOutOneExtent() {
        Tensor x = of(Shape.of(2, 3), 1, 2, 3, 4, 5, 6);
        Tensor y = x.reshape(3, -1);
        assertEquals(Shape.of(3, 2), y.shape());
        assertSame(x.buffer(), y.buffer());
        x.mul_(2);
        assertArrayEquals(new double[] {2, 4, 6, 8, 10, 12}, y.toDoubles());
        String message = assertThrows(IllegalArgumentException.class, () -> x.reshape(4, -1))
                .getMessage();
        assertEquals("cannot reshape [2, 3] to [4, -1]", message);
    }

    @Test
    void sumToUndoesBroadcasting() {
        Tensor x = of(Shape.of(2, 3), 1, 2, 3, 4, 5, 6);
        assertArrayEquals(new double[] {5, 7, 9}, x.sumTo(Shape.of(3)).toDoubles());
        assertArrayEquals(new double[] {6, 15}, x.sumTo(Shape.of(2, 1)).toDoubles());
        assertEquals(21, x.sumTo(Shape.SCALAR).item());
        assertSame(x, x.sumTo(x.shape()));
        assertThrows(IllegalArgumentException.class, () -> x.sumTo(Shape.of(2)));
    }

    @Test
    void arithmeticBroadcasts() {
        Tensor x = of(Shape.of(2, 2), 1, 2, 3, 4);
        Tensor row = of(Shape.of(2), 10, 20);
        assertArrayEquals(new double[] {11, 22, 13, 24}, x.add(row).toDoubles());
        assertArrayEquals(new double[] {-9, -18, -7, -16}, x.sub(row).toDoubles());
        assertArrayEquals(new double[] {10, 40, 30, 80}, row.mul(x).toDoubles());
        assertArrayEquals(new double[] {.1, .1, .3, .2}, x.div(row).toDoubles());
        assertArrayEquals(new double[] {2, 2, 3, 3}, x.clamp(2, 3).toDoubles());
        assertEquals(10, x.sum().item());
        assertArrayEquals(
                new double[] {3, 4}, x.reduce(ReduceOp.MAX, Shape.of(1, 2)).toDoubles());
    }

    @Test
    void setCopiesAndLeavesTheSourceAlone() {
        Tensor x = of(Shape.of(2), 1, 2);
        Tensor y = x.emptyLike().set_(x);
        y.add_(x.scalar(1));
        assertArrayEquals(new double[] {1, 2}, x.toDoubles());
        assertArrayEquals(new double[] {2, 3}, y.toDoubles());
    }

    @Test
    void itemNeedsOneElement() {
        String message = assertThrows(
                        IllegalStateException.class, () -> of(Shape.of(2), 1, 2).item())
                .getMessage();
        assertEquals("item() needs one element, this has shape [2]", message);
    }

    @Test
    void aStreamOfRandomNumbersContinuesWhereItStopped() {
        Rng whole = new Rng(7);
        Rng first = new Rng(7);
        double[] expected = whole.draw(Distribution.NORMAL, backend, DType.F64, Shape.of(40))
                .toDoubles();
        double[] head = first.draw(Distribution.NORMAL, backend, DType.F64, Shape.of(2, 4))
                .toDoubles();
        Rng resumed = new Rng(first.seed(), first.offset());
        double[] tail = resumed.draw(Distribution.NORMAL, backend, DType.F64, Shape.of(32))
                .toDoubles();
        for (int i = 0; i < 40; i++) assertEquals(expected[i], i < 8 ? head[i] : tail[i - 8]);
        assertEquals(40, resumed.offset());
        assertThrows(IllegalArgumentException.class, () -> new Rng(7, 3));
    }
}
