package tensor.backend.cuda;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import tensor.Rng;
import tensor.Shape;
import tensor.Tensor;
import tensor.backend.Backend;
import tensor.backend.Conv2dParams;
import tensor.backend.Distribution;
import tensor.backend.Precision;
import tensor.backend.cuda.ConvolutionAlgorithm.Direction;
import tensor.backend.reference.ReferenceBackend;
import tensor.memory.Scope;

/** Convolutions with few channels on one side, in every precision, and that it is not cuDNN that computes them. */
class NarrowConvolutionsTest {
    @ParameterizedTest
    @EnumSource(Precision.class)
    void fewInputs(Precision precision) {
        agree(precision, Conv2dParams.of(1, 1), Shape.of(3, 13, 7, 3), Shape.of(32, 3, 3, 3), false);
        agree(precision, Conv2dParams.of(1, 3), Shape.of(2, 13, 7, 1), Shape.of(16, 7, 7, 1), false);
        agree(precision, new Conv2dParams(2, 2, 0, 1, 3, 1), Shape.of(2, 13, 8, 5), Shape.of(40, 3, 3, 5), false);
    }

    @ParameterizedTest
    @EnumSource(Precision.class)
    void fewOutputs(Precision precision) {
        agree(precision, Conv2dParams.of(1, 1), Shape.of(3, 13, 7, 32), Shape.of(3, 3, 3, 32), true);
        agree(precision, new Conv2dParams(1, 3, 0, 1, 2, 1), Shape.of(2, 13, 7, 40), Shape.of(7, 2, 4, 40), true);
    }

    private static void agree(Precision precision, Conv2dParams p, Shape image, Shape filters, boolean data) {
        List<double[]> expected;
        try (Backend reference = new ReferenceBackend();
                Scope scope = Scope.open("reference")) {
            expected = results(reference, precision, p, image, filters);
        }
        noteData(precision, p, image, filters);
        try (Backend backend = CudaTest.open(precision);
                Scope scope = Scope.open("cuda")) {
            List<double[]> found = results(backend, precision, p, image, filters);
            for (int i = 0; i < found.size(); i++) {
                double error = distance(expected.get(i), found.get(i));
                assertTrue(error <= bound(precision), "result " + i + ": error " + error);
            }
            Tensor x = Tensor.empty(backend, precision.compute(), image);
            Tensor w = Tensor.empty(backend, precision.compute(), filters);
            Tensor y = Tensor.empty(backend, precision.compute(), p.outputShape(image, filters));
            List<Direction> searched = new ArrayList<>();
            for (Direction direction : Direction.values())
                if (((CudaBackend) backend).algorithm(direction, p, x, w, y) != null) searched.add(direction);
            assertEquals(data || p.top() != p.bottom() ? List.of() : List.of(Direction.DATA), searched);
        }
    }

    /** Where cuDNN makes dx, it does by its own call: one turned round would not show. */
    private static void noteData(Precision precision, Conv2dParams p, Shape image, Shape filters) {
        Shape y = p.outputShape(image, filters);
        Geometry g = new Geometry(
                precision.compute(),
                image.get(0),
                image.get(1),
                image.get(2),
                image.get(3),
                filters.get(0),
                filters.get(1),
                filters.get(2),
                y.get(1),
                y.get(2),
                p.stride(),
                p.top(),
                p.left(),
                1);
        CudaTest.open(precision).close(); // or this is where the test is skipped
        CudaTest.note(precision, Direction.DATA, g, new ConvolutionAlgorithm(1, 0, false, false));
    }

    /** y, y without bias but more, dx, dw, dbias, dw alone. */
    private static List<double[]> results(Backend on, Precision precision, Conv2dParams p, Shape image, Shape filters) {
        Tensor x = draw(1, on, precision, image);
        Tensor w = draw(2, on, precision, filters);
        Tensor bias = draw(3, on, precision, Shape.of(filters.get(0)));
        Shape result = p.outputShape(image, filters);
        Tensor more = draw(4, on, precision, result);
        Tensor dy = draw(5, on, precision, result);
        Tensor y = dy.emptyLike();
        Tensor z = dy.emptyLike();
        Tensor dx = x.emptyLike();
        Tensor dw = w.emptyLike();
        Tensor dbias = bias.emptyLike();
        Tensor alone = w.emptyLike();
        on.conv2d(p, x, w, bias, null, y);
        on.conv2d(p, x, w, null, more, z);
        on.conv2dBackwardData(p, w, dy, dx);
        on.conv2dBackwardWeights(p, x, dy, dw, dbias);
        on.conv2dBackwardWeights(p, x, dy, alone, null);
        List<double[]> all = new ArrayList<>();
        for (Tensor t : new Tensor[] {y, z, dx, dw, dbias, alone}) all.add(t.toDoubles());
        return all;
    }

    private static Tensor draw(long seed, Backend on, Precision precision, Shape shape) {
        return new Rng(seed).draw(Distribution.NORMAL, on, precision.compute(), shape);
    }

    /** Rounding of single operations, of factors with 11 bits, of results with 8 bits. */
    private static double bound(Precision precision) {
        return switch (precision) {
            case FP32 -> 0x1p-20;
            case TF32 -> 0x1p-10;
            case BF16 -> 0x1p-7;
        };
    }

    private static double distance(double[] a, double[] b) {
        double difference = 0;
        double size = 0;
        for (int i = 0; i < a.length; i++) {
            difference += (a[i] - b[i]) * (a[i] - b[i]);
            size += a[i] * a[i];
        }
        return Math.sqrt(difference / size);
    }
}
