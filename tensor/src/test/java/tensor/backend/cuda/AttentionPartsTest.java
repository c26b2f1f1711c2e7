package tensor.backend.cuda;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import nativelib.CudaModules;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import tensor.DType;
import tensor.Rng;
import tensor.Shape;
import tensor.Tensor;
import tensor.backend.AttentionParams;
import tensor.backend.Backend;
import tensor.backend.Distribution;
import tensor.backend.Precision;
import tensor.memory.Scope;

/** Large attention is computed for one part of the images after the other, and it does not matter how many there are. */
class AttentionPartsTest {
    /** P is kept with 12 channels of a head to 32 positions, and computed anew with 4 to 512. */
    @ParameterizedTest
    @CsvSource({"FP32, 513, 8, 32, 12", "FP32, 9, 2, 512, 4", "BF16, 513, 8, 32, 12", "BF16, 9, 2, 512, 4"})
    void theyGiveTheSame(Precision precision, int images, int heads, int length, int width) {
        float[][] whole = null;
        String shape =
                "-" + precision.compute() + "-" + precision + "-" + images + "x" + length + "-" + heads + "x" + width;
        float differs;
        try (Backend there = CudaTest.open(precision)) { // or there is nothing to test
            boolean standIn = there.description().contains("stand-in");
            // for fewer images cuBLAS may take another kernel, which adds up in another order
            differs = standIn ? 0 : precision == Precision.FP32 ? 1e-5f : 3e-2f;
        }
        for (int parts = 1; parts <= 8; parts *= 2) {
            try (Engine engine = new Engine(precision)) {
                SearchFile file = SearchFile.ofUser("attentions", engine.context(), CudaModules.version());
                for (String direction : new String[] {"forward", "backward"})
                    file.put(direction + shape, String.valueOf(parts));
            }
            float[][] found = attention(precision, images, heads, length, width);
            if (whole == null) whole = found;
            for (int i = 0; i < found.length; i++) assertArrayEquals(whole[i], found[i], differs, parts + " parts");
        }
    }

    /** There is room for one of two arrays: P forward, S backward. */
    @ParameterizedTest
    @CsvSource({"false", "true"})
    void aCallThatFindsNoMemoryKeepsNone(boolean backward) {
        try (Backend backend = CudaTest.open(Precision.BF16);
                Scope scope = Scope.open("test")) {
            Tensor qkv = Tensor.full(backend, DType.BF16, Shape.of(9, 64, 24), 1);
            Tensor dqkv = qkv.emptyLike();
            Tensor y = qkv.empty(Shape.of(9, 64, 8));
            Tensor logSum = qkv.emptyExact(Shape.of(9, 2, 64));
            AttentionParams p = new AttentionParams(2, 0.5);
            try (Scope spare = Scope.open("spare")) {
                qkv.empty(Shape.of((backward ? 2 : 1) * 9 * 2 * 64 * 64));
                for (int size = 1 << 25; size >= 1 << 15; size >>= 1) CudaTest.fill(scope, qkv, size);
            }
            long live = backend.memory().live();
            assertThrows(OutOfMemoryError.class, () -> {
                if (backward) backend.attentionBackward(p, qkv, y, logSum, y, dqkv);
                else backend.attention(p, qkv, y, logSum);
            });
            assertEquals(live, backend.memory().live());
        }
    }

    /** y, what is noted of each row, and the gradient of q, k and v. */
    private static float[][] attention(Precision precision, int images, int heads, int length, int width) {
        try (Backend backend = CudaTest.open(precision)) {
            float[][] results;
            try (Scope scope = Scope.open("attention")) {
                DType type = precision.compute();
                Rng rng = new Rng(3);
                Tensor qkv = rng.draw(Distribution.NORMAL, backend, type, Shape.of(images, length, 3 * heads * width));
                Tensor dy = rng.draw(Distribution.NORMAL, backend, type, Shape.of(images, length, heads * width));
                Tensor y = dy.emptyLike();
                Tensor logSum = qkv.emptyExact(Shape.of(images, heads, length));
                Tensor dqkv = qkv.emptyLike();
                AttentionParams p = new AttentionParams(heads, 0.5);
                backend.attention(p, qkv, y, logSum);
                backend.attentionBackward(p, qkv, y, logSum, dy, dqkv);
                results = new float[][] {y.toFloats(), logSum.toFloats(), dqkv.toFloats()};
            }
            assertEquals(0, backend.memory().live());
            return results;
        }
    }
}
