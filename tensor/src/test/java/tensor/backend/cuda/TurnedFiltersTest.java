package tensor.backend.cuda;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import tensor.DType;
import tensor.Shape;
import tensor.Tensor;
import tensor.backend.Conv2dParams;
import tensor.backend.Precision;
import tensor.backend.Recording;
import tensor.backend.cuda.ConvolutionAlgorithm.Direction;
import tensor.memory.Buffer;
import tensor.memory.Scope;

/** Gradients that turn their filters, as the file says that is best: they follow the filters, whoever writes into these. */
class TurnedFiltersTest extends CudaTest {
    private static final Conv2dParams SAME = Conv2dParams.of(1, 1);
    private static final Shape IMAGE = Shape.of(1, 3, 3, 41);

    @BeforeEach
    @Override
    void open() {
        super.open();
        backend.close();
        for (int k : new int[] {8, 9})
            note(
                    Precision.FP32,
                    Direction.DATA,
                    new Geometry(DType.F32, 1, 3, 3, 41, k, 3, 3, 3, 3, 1, 1, 1, 1),
                    new ConvolutionAlgorithm(1, 0, true, false));
        super.open();
    }

    /** A layer of k filters whose weights are all the same. */
    private final class Layer {
        final Tensor w;
        final Tensor dy;
        final Tensor dx;

        Layer(int k, double weight) {
            w = Tensor.full(backend, DType.F32, Shape.of(k, 3, 3, 41), weight);
            dy = Tensor.full(backend, DType.F32, IMAGE.with(3, k), 1);
            dx = Tensor.empty(backend, DType.F32, IMAGE);
        }

        Layer backward() {
            backend.conv2dBackwardData(SAME, w, dy, dx);
            return this;
        }

        /** In the middle of the image every weight meets every filter: 9 k times the weight. */
        void shows(double weight) {
            assertEquals(9 * w.shape().get(0) * weight, dx.toFloats()[4 * 41 + 7], 1e-4);
        }
    }

    @Test
    void theyFollowTheFilters() {
        try (Scope scope = Scope.open("test")) {
            Layer first = new Layer(8, 1);
            Layer second = new Layer(9, 2);
            for (int i = 0; i < 3; i++) {
                backend.fill(first.w, 1 + i);
                backend.fill(second.w, 2 + i);
                second.backward().shows(2 + i);
                first.backward().shows(1 + i);
                second.backward().shows(2 + i);
                backend.fill(second.w, 7);
                second.backward().shows(7);
                first.shows(1 + i);
            }
            try (Scope inner = Scope.open("inner")) {
                new Layer(9, 3).backward().shows(3);
            }
            new Layer(9, 4).backward().shows(4);
            assertNull(((CudaBackend) backend).algorithm(Direction.DATA, SAME, first.dx, first.w, first.dy));
        }
        assertEquals(0, backend.memory().live());
    }

    /** Those of another network would be turned at each replay, and read when they are no more. */
    @Test
    void aRecordingTurnsWhatHasBeenWantedSinceItsFirstOnes() {
        try (Scope scope = Scope.open("test")) {
            Layer first = new Layer(8, 1).backward();
            long alone = liveInARecordingOf(first);
            Layer other = new Layer(9, 2).backward();
            first.backward();
            assertEquals(alone, liveInARecordingOf(first));
            other.backward();
            assertTrue(liveInARecordingOf(first) > alone, "all of a network at once");
        }
    }

    @Test
    void aRecordingHoldsThoseOfAnotherThatItTurns() {
        try (Scope scope = Scope.open("test")) {
            Layer first = new Layer(8, 1).backward();
            try (Scope inner = Scope.open("inner")) {
                Layer other = new Layer(9, 2).backward();
                Buffer filters = other.w.buffer();
                Recording recording = backend.record(r -> first.backward()).orElseThrow();
                inner.close();
                assertTrue(filters.isLive());
                recording.replay(Recording.Numbers.NONE);
                first.shows(1);
                recording.close();
                assertFalse(filters.isLive());
            }
        }
        assertEquals(0, backend.memory().live());
    }

    private long liveInARecordingOf(Layer layer) {
        long[] live = {0};
        Recording.Body body = r -> {
            layer.backward();
            live[0] = backend.memory().live();
        };
        backend.record(body).orElseThrow().close();
        return live[0];
    }

    @Test
    void thoseOfARecordingArePartOfIt() {
        try (Scope scope = Scope.open("test")) {
            Layer first = new Layer(8, 1).backward();
            Layer second = new Layer(9, 2).backward();
            Tensor weights = Tensor.full(backend, DType.F32, first.w.shape(), 5);
            try (Recording recording = backend.record(r -> {
                        try (Scope body = Scope.open("body")) {
                            second.backward();
                            first.backward();
                            first.w.set_(weights); // an update
                        }
                    })
                    .orElseThrow()) {
                recording.replay(Recording.Numbers.NONE);
                first.shows(1);
                second.shows(2);
                first.backward().shows(5);
                backend.fill(weights, 6);
                recording.replay(Recording.Numbers.NONE);
                first.shows(5);
                first.backward().shows(6);
                backend.fill(first.w, 3);
                backend.fill(second.w, 4);
                recording.replay(Recording.Numbers.NONE);
                first.shows(3);
                second.shows(4);
            }
            first.backward().shows(6);
        }
        assertEquals(0, backend.memory().live());
    }
}
