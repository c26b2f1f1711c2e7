package bench.kernel;

import bench.Contestant;
import bench.Meter;
import bench.Task;
import java.util.Optional;
import tensor.backend.Backend;
import tensor.backend.Backends;
import tensor.backend.Precision;
import tensor.memory.Scope;

/** oneDNN without the engine around it; has a part in kernels that oneDNN computes. */
public final class BareOneDnn implements Contestant {
    private final KernelCalls kernels;

    /** Opens the backend that lays out the arguments. */
    public BareOneDnn(int threads, Precision precision) {
        Meter.install();
        Backend backend = Backends.open("cpu", threads, precision).backend();
        kernels = new KernelCalls(backend);
        Scope.open("bench");
    }

    @Override
    public Optional<Runnable> prepare(Task task) {
        if (task.kind() != Task.Kind.KERNEL && task.kind() != Task.Kind.CALL) return Optional.empty();
        return new RawOneDnn().of(kernels.find(task));
    }
}
