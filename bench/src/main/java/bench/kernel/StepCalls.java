package bench.kernel;

import bench.Meter;
import bench.Workload;
import ddpm.train.Settings;
import ddpm.train.Training;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import tensor.backend.Backend;

/**
 * The distinct calls of one training step of a preset, and how often each is made: two calls of one name with the same
 * parameters, shapes and types count as one. The order is that of the step, so that every process numbers them alike.
 */
public final class StepCalls implements AutoCloseable {
    private final Map<String, KernelCall> calls = new LinkedHashMap<>();
    private final Map<String, Integer> counts = new LinkedHashMap<>();

    /** Runs two steps, the second one watched, on a backend that was opened after {@link Meter#install}. */
    public StepCalls(String preset, int batch, Backend backend) {
        Settings settings = Workload.settings(preset, batch);
        try (Training training = Workload.training(settings, backend)) {
            training.step(settings.learningRate(1));
            Meter.watch((on, name, arguments, nanos) -> {
                if (KernelCall.prepares(name)) return;
                String key = KernelCall.describe(name, arguments);
                if (counts.merge(key, 1, Integer::sum) == 1) calls.put(key, KernelCall.of(key, on, name, arguments));
            });
            training.step(settings.learningRate(1));
        } finally {
            Meter.watch(null);
        }
    }

    /** The calls, in the order of their first appearance. */
    public List<KernelCall> calls() {
        return new ArrayList<>(calls.values());
    }

    /** How often a step makes the call. */
    public int count(KernelCall call) {
        return counts.get(call.toString());
    }

    @Override
    public void close() {
        calls.values().forEach(KernelCall::close);
        calls.clear();
    }
}
