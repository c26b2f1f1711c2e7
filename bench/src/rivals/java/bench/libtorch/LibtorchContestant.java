package bench.libtorch;

import bench.Contestant;
import bench.Meter;
import bench.Task;
import bench.kernel.KernelCalls;
import java.util.Optional;
import tensor.backend.Backend;
import tensor.backend.Backends;
import tensor.backend.Precision;
import tensor.memory.Scope;

/** libtorch in one of its layouts. */
class LibtorchContestant implements Contestant {
    private final Precision precision;
    private final Layout layout;
    private KernelCalls kernels;

    LibtorchContestant(int threads, Precision precision, Layout layout) {
        this.precision = precision;
        this.layout = layout;
        Libtorch.open(threads, precision);
    }

    @Override
    public Optional<Runnable> prepare(Task task) {
        return switch (task.kind()) {
            case KERNEL, CALL -> new LibtorchKernels(layout).of(calls().find(task));
            case STEP -> Steps.training(task, layout);
            case SAMPLE -> Steps.sampling(task, layout);
        };
    }

    /** Our own backend says which arguments a call has; it computes nothing that is timed, and on one thread. */
    private KernelCalls calls() {
        if (kernels == null) {
            Meter.install();
            Backend backend = Backends.open("cpu", 1, precision).backend();
            Scope.open("bench");
            kernels = new KernelCalls(backend);
        }
        return kernels;
    }
}
