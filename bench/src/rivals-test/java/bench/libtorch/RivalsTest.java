package bench.libtorch;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import bench.Rounds;
import bench.Task;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import tensor.backend.Precision;

/** The rival does the presets' work: same number of parameters, and a step runs. */
class RivalsTest {
    @BeforeAll
    static void open() {
        Libtorch.open(1);
    }

    @Test
    void itsNetworksHaveTheParametersOfThePresets() {
        assertEquals(2_996_315, Steps.parameters("annotated"));
        assertEquals(2_020_257, Steps.parameters("annotated-resnet"));
        assertEquals(35_746_307, Steps.parameters("ddpm-cifar10"));
    }

    @Test
    void itTakesStepsInBothLayouts() {
        for (Layout layout : Layout.values())
            for (String kind : new String[] {"step", "sample"})
                for (String preset : new String[] {"annotated", "annotated-resnet"})
                    new LibtorchContestant(1, Precision.FP32, layout)
                            .prepare(Task.of(kind + ":" + preset + ":2"))
                            .orElseThrow()
                            .run();
        assertTrue(new LibtorchContestant(1, Precision.FP32, Layout.CONTIGUOUS)
                .prepare(Task.of("step:quick:2"))
                .isEmpty());
    }

    /** That it is bf16 indeed, {@link Steps} sees in the type of the network's output. */
    @Test
    void inBf16ItTakesStepsWithTheOtherBuildInProcessesOfItsOwn() {
        List<String> both = List.of("libtorch", "libtorch-cl");
        try (Rounds contest = new Rounds(both, 1, Rounds.Clock.CPU, "")) {
            for (String task : new String[] {"step:annotated:2:bf16", "sample:annotated-resnet:2:bf16"})
                assertEquals(
                        Set.copyOf(both),
                        contest.run(Task.of(task), 1).milliseconds().keySet());
        }
    }
}
