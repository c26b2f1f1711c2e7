package bench;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.util.List;
import java.util.Map;
import nativelib.NativeLibrary;
import org.junit.jupiter.api.Test;
import tensor.backend.Precision;

class RoundsTest {
    @Test
    void theRatioIsTheMedianOfTheRoundsNotTheRatioOfTheMedians() {
        Rounds.Result r = new Rounds.Result(
                Map.of("a", List.of(10.0, 40.0, 90.0), "b", List.of(10.0, 20.0, 30.0)), Map.of(), 0, 0);
        assertEquals(2, r.ratio("a", "b")); // rounds 1, 2, 3
        assertEquals(40, r.median("a"));
        assertEquals(3, r.rounds());
        assertEquals(2.5, Rounds.Result.median(new double[] {4, 1, 3, 2}));
    }

    @Test
    void aTaskIsWrittenAsItIsRead() {
        Task kernel = Task.kernel("Conv2d: resnet, 3x3, 28 to 28 @ 28 / conv2d", Precision.FP32);
        assertEquals(kernel, Task.of(kernel.toString()));
        assertEquals(
                new Task(Task.Kind.STEP, "annotated-resnet", 32, Precision.FP32), Task.of("step:annotated-resnet:32"));
        Task half = new Task(Task.Kind.SAMPLE, "annotated,dim=16", 4, Precision.BF16);
        assertEquals("sample:annotated,dim=16:4:bf16", half.toString());
        assertEquals(half, Task.of(half.toString()));
        assertThrows(IllegalArgumentException.class, () -> Task.of("step"));
        assertThrows(IllegalArgumentException.class, () -> Task.of("run:quick:1"));
    }

    @Test
    void theProcessorClockIsForOneThread() {
        assertThrows(IllegalArgumentException.class, () -> new Rounds(List.of("ours"), 2, Rounds.Clock.CPU, ""));
    }

    /** A call that is oneDNN's with us as well, and then slowed: whoever reads the ratio sees it. */
    @Test
    void aSlowdownOfOneCallShowsInTheRatio() {
        assumeTrue(NativeLibrary.isAvailable(), NativeLibrary.whyNot());
        Task task = Task.kernel("Conv2d: resnet, 1x1, 112 to 384 @ 7 / conv2d", Precision.FP32);
        double[] ratio = new double[2];
        for (int slow = 0; slow < 2; slow++)
            try (Rounds contest =
                    new Rounds(List.of("ours", "onednn"), 1, Rounds.Clock.CPU, slow == 1 ? "conv2d:2" : "")) {
                Rounds.Result r = contest.run(task, 3);
                assertEquals(3, r.rounds());
                ratio[slow] = r.ratio("onednn", "ours");
            }
        assertTrue(ratio[0] > 0.7 && ratio[0] < 1.4, "clean: " + ratio[0]);
        assertTrue(ratio[1] > 0.35 && ratio[1] < 0.7, "twice as slow: " + ratio[1]);
    }
}
