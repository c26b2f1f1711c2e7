package bench;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import ddpm.train.Settings;
import ddpm.train.Training;
import java.util.TreeMap;
import nativelib.NativeLibrary;
import org.junit.jupiter.api.Test;
import tensor.backend.Backend;
import tensor.backend.Backends;
import tensor.memory.Scope;

class ProfileTest {
    /**
     * 195.7 GFLOP at batch 128 are 1.53 for each image, counted from the layers of the published network, with a backward
     * pass of twice the forward one; the stem's gradient with respect to the image is the one that nobody needs. There are three
     * linear maps, two of the time and one of all projections of it; the gradient of the time is not needed either.
     */
    @Test
    void aStepOfTheResnetPresetHasTheWorkOfItsLayers() {
        assumeTrue(NativeLibrary.isAvailable(), NativeLibrary.whyNot());
        Meter.install();
        Settings settings = Workload.settings("annotated-resnet", 2);
        double[] flop = {0};
        TreeMap<String, Integer> calls = new TreeMap<>();
        try (Backend on = Backends.open("cpu", 1).backend();
                Scope root = Scope.open("test");
                Training training = Workload.training(settings, on)) {
            Meter.watch((who, name, arguments, nanos) -> {
                flop[0] += Work.of(name, arguments).flop();
                calls.merge(name, 1, Integer::sum);
            });
            training.step(settings.learningRate(1));
            Meter.watch(null);
        }
        assertEquals(195.7 / 128, 1e-9 * flop[0] / 2, 0.01);
        assertEquals(calls.get("conv2d") + 3, calls.get("conv2dBackwardWeights"));
        assertEquals(3 + 2, calls.get("matmul"));
        assertEquals(calls.get("conv2d") - 1, calls.get("conv2dBackwardData"));
        assertTrue(calls.get("adam") == 1 && calls.get("download") == 2, calls.toString());
    }
}
