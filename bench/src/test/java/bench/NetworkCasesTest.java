package bench;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import autograd.check.NetworkCases;
import autograd.check.OpCase;
import bench.kernel.KernelCall;
import ddpm.train.Settings;
import ddpm.train.Training;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import nativelib.NativeLibrary;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import tensor.backend.Backend;
import tensor.backend.Backends;
import tensor.backend.Precision;
import tensor.memory.Scope;

/** The cases are the networks' own: with one image, so that it is quick. */
class NetworkCasesTest {
    /** A thirtieth of a step, by the floor of a machine that does 10 operations a byte, is worth a case. */
    private static final double WORTH = 1.0 / 30;

    private static final Peaks MACHINE = new Peaks(1, 100e9, 0, 10e9);
    private static final Map<String, Work> CALLS = new HashMap<>();
    private static final List<String> WRONG_FLOP = new ArrayList<>();

    @BeforeAll
    static void record() throws Exception {
        assumeTrue(NativeLibrary.isAvailable(), NativeLibrary.whyNot());
        Meter.install();
        try (Backend on = Backends.open("cpu", 1).backend();
                Scope scope = Scope.open("test")) {
            for (OpCase op : NetworkCases.ofBatch(1)) {
                double forward = -1;
                for (KernelCall call : KernelCall.of(op, on)) {
                    if (forward < 0) forward = call.work().flop();
                    CALLS.put(KernelCall.describe(call.name(), call.arguments()), call.work());
                    call.close();
                }
                if (forward != op.flop()) WRONG_FLOP.add(op + " says " + op.flop() + ", does " + forward);
            }
        }
    }

    @Test
    void theOperationsThatACaseStatesAreThoseOfItsCall() {
        assertEquals(List.of(), WRONG_FLOP);
    }

    @Test
    void noTwoCasesHaveOneName() {
        Set<String> names = new HashSet<>();
        for (OpCase op : NetworkCases.all()) assertTrue(names.add(op.toString()), op.toString());
    }

    @Test
    void whateverAPresetSpendsItsWorkOnHasACase() throws Exception {
        for (String preset : List.of("annotated-resnet", "annotated", "ddpm-cifar10")) {
            Map<String, Double> seconds = new HashMap<>();
            Settings settings = Workload.settings(preset, 1);
            try (Backend on = Backends.open("cpu", 1).backend();
                    Scope root = Scope.open("test");
                    Training training = Workload.training(settings, on)) {
                Meter.watch((who, name, arguments, nanos) -> {
                    if (!name.equals("adam") && !name.equals("exponentialAverage") && !name.equals("sumOfSquares"))
                        seconds.merge(
                                KernelCall.describe(name, arguments),
                                Work.of(name, arguments).seconds(MACHINE, Precision.FP32),
                                Double::sum);
                });
                training.step(settings.learningRate(1));
                Meter.watch(null);
            }
            double step = seconds.values().stream().mapToDouble(x -> x).sum();
            List<String> missing = new ArrayList<>();
            seconds.forEach((call, time) -> {
                if (time > WORTH * step && !CALLS.containsKey(call)) missing.add(call);
            });
            assertEquals(List.of(), missing, preset);
        }
    }
}
