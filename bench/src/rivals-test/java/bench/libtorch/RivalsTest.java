package bench.libtorch;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import bench.Task;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

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
                    new LibtorchContestant(1, layout)
                            .prepare(Task.of(kind + ":" + preset + ":2"))
                            .orElseThrow()
                            .run();
        assertTrue(new LibtorchContestant(1, Layout.CONTIGUOUS)
                .prepare(Task.of("step:quick:2"))
                .isEmpty());
    }
}
