package tensor.backend.cuda;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import tensor.DType;
import tensor.Shape;
import tensor.Tensor;
import tensor.backend.Conv2dParams;
import tensor.backend.Precision;
import tensor.backend.Recording;
import tensor.memory.Scope;

/**
 * Gradients of weights are computed aside. On the stand-in that is as late as can be, when somebody waits for them; so what
 * is forgotten to be waited for, or to be held, shows in the numbers.
 */
class SideStreamTest extends CudaTest {
    private static final Shape SQUARE = Shape.of(2, 2);

    private Tensor square(float... values) {
        return Tensor.of(backend, SQUARE, values);
    }

    /** dyᵀ x, which is put aside. */
    private void weights(Tensor dy, Tensor x, Tensor dw) {
        Tensor filters = dw.reshape(2, 1, 1, 2);
        backend.conv2dBackwardWeights(
                Conv2dParams.of(1, 0), x.reshape(2, 1, 1, 2), dy.reshape(2, 1, 1, 2), filters, null);
    }

    @Test
    void whatIsReadAsideMayBeOverwrittenAtOnce() {
        try (Scope scope = Scope.open("test")) {
            Tensor x = square(1, 2, 3, 4);
            Tensor dw = x.emptyLike();
            weights(square(1, 0, 0, 1), x, dw);
            x.set_(square(9, 9, 9, 9));
            assertArrayEquals(new float[] {1, 2, 3, 4}, dw.toFloats());
        }
    }

    @Test
    void whatIsReadAsideMayBeReleasedAndItsBlocksUsedAgain() {
        try (Scope scope = Scope.open("test")) {
            Tensor dw = Tensor.empty(backend, DType.F32, SQUARE);
            try (Scope inner = Scope.open("inner")) {
                weights(square(1, 0, 0, 1), square(1, 2, 3, 4), dw);
            }
            for (int i = 0; i < 20; i++) Tensor.full(backend, DType.F32, SQUARE, 7);
            assertArrayEquals(new float[] {1, 2, 3, 4}, dw.toFloats());
        }
    }

    @Test
    void aResultThatNobodyReadsIsReleasedWhenItsWritingIsDone() {
        try (Scope scope = Scope.open("test")) {
            Tensor dy = square(1, 0, 0, 1);
            Tensor x = square(1, 2, 3, 4);
            try (Scope inner = Scope.open("inner")) {
                weights(dy, x, x.emptyLike());
            }
            Tensor next = Tensor.full(backend, DType.F32, SQUARE, 7); // in the block of the gradient
            backend.synchronize();
            assertArrayEquals(new float[] {7, 7, 7, 7}, next.toFloats());
        }
    }

    @Test
    void whatIsMadeOfAGradientIsHeldTooUntilItHasBeenRead() {
        Conv2dParams p = Conv2dParams.of(1, 1).enlarging(2);
        float[][] results = new float[2][];
        try (Scope scope = Scope.open("test")) {
            Tensor x = Tensor.full(backend, DType.F32, Shape.of(1, 8, 8, 1), 1);
            Tensor w = Tensor.full(backend, DType.F32, Shape.of(1, 3, 3, 1), 1);
            Tensor dx = x.emptyLike();
            for (int i = 0; i < 2; i++) {
                Tensor dw = w.emptyLike();
                try (Scope inner = Scope.open("inner")) {
                    Tensor dy = Tensor.full(backend, DType.F32, Shape.of(1, 16, 16, 1), 1);
                    backend.conv2dBackwardWeights(p, x, dy, dw, null); // the first call searches, and is not aside
                    backend.conv2dBackwardData(p, w, dy, dx);
                }
                for (int k = 0; k < 20; k++) Tensor.full(backend, DType.F32, Shape.of(1, 9, 9, 4), 7);
                results[i] = dw.toFloats();
            }
        }
        assertArrayEquals(new float[] {225, 240, 225, 240, 256, 240, 225, 240, 225}, results[0]);
        assertArrayEquals(results[0], results[1]);
    }

    @Test
    void moreCallsThanMayBeUnderWay() {
        try (Scope scope = Scope.open("test")) {
            Tensor dy = square(1, 0, 0, 1);
            List<Tensor> gradients = new ArrayList<>();
            for (int i = 0; i < 50; i++) {
                Tensor dw = dy.emptyLike();
                weights(dy, square(i, i, i, i), dw);
                gradients.add(dw);
            }
            for (int i = 0; i < 50; i++)
                assertArrayEquals(new float[] {i, i, i, i}, gradients.get(i).toFloats(), "gradient " + i);
        }
        assertEquals(0, backend.memory().live());
    }

    @Test
    void aRecordedStepWaitsForWhatIsAside() {
        try (Scope scope = Scope.open("test")) {
            Tensor x = square(1, 2, 3, 4);
            Tensor dy = square(1, 0, 0, 1);
            Tensor sum = x.emptyLike();
            Recording.Body body = recorder -> {
                try (Scope step = Scope.open("step")) {
                    Tensor dw = x.emptyLike();
                    Tensor unread = x.emptyLike();
                    weights(dy, x.mul(10), dw);
                    weights(dy, x, unread);
                    sum.set_(dw.add(1));
                }
            };
            body.run(null);
            try (Recording recording = backend.record(body).orElseThrow()) {
                sum.set_(square(0, 0, 0, 0));
                recording.replay(new Recording.Numbers(0, 0, 1, 0));
                assertArrayEquals(new float[] {11, 21, 31, 41}, sum.toFloats());
            }
        }
    }

    @Test
    void aReplayWaitsForWhatIsAside() {
        try (Scope scope = Scope.open("test")) {
            Tensor x = square(1, 2, 3, 4);
            Tensor dw = square(5, 5, 5, 5);
            Tensor copy = x.emptyLike();
            try (Recording recording = backend.record(recorder -> {
                        copy.set_(dw);
                        backend.fill(x, 9);
                    })
                    .orElseThrow()) {
                weights(square(1, 0, 0, 1), x, dw);
                recording.replay(Recording.Numbers.NONE);
                assertArrayEquals(
                        new float[] {1, 2, 3, 4}, copy.toFloats(), "what is written aside is read by the replay");
                assertArrayEquals(new float[] {1, 2, 3, 4}, dw.toFloats(), "what is read aside is written by it");
            }
        }
    }

    @Test
    void anotherThreadMayBeTheFirstToAsk() throws InterruptedException {
        try (Scope scope = Scope.open("test")) {
            Tensor dw = Tensor.empty(backend, DType.F32, SQUARE);
            weights(square(1, 0, 0, 1), square(1, 2, 3, 4), dw);
            float[][] found = new float[1][];
            Thread thread = new Thread(() -> found[0] = dw.toFloats());
            thread.start();
            thread.join();
            assertArrayEquals(new float[] {1, 2, 3, 4}, found[0]);
        }
    }

    @Test
    void whatIsReleasedAfterHalfTheCallsIsWaitedFor() {
        try (Engine engine = new Engine(Precision.FP32)) {
            Movement movement = new Movement(engine);
            try (Scope scope = Scope.open("test")) {
                try (Scope inner = Scope.open("inner")) {
                    Tensor dw = Tensor.empty(backend, DType.F32, SQUARE);
                    Runnable calls = () -> {
                        movement.fill(dw, 9);
                        throw new OutOfMemoryError("half-way");
                    };
                    assertThrows(
                            OutOfMemoryError.class, () -> engine.side().run(calls, List.of(), List.of(dw.buffer())));
                }
                Tensor next = Tensor.full(backend, DType.F32, SQUARE, 7); // in the block of the gradient
                backend.synchronize();
                engine.side().join();
                engine.context().synchronize();
                assertArrayEquals(new float[] {7, 7, 7, 7}, next.toFloats());
            }
        }
    }
}
