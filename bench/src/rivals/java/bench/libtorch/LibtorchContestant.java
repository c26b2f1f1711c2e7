package bench.libtorch;

import bench.Contestant;
import bench.Meter;
import bench.Task;
import bench.kernel.KernelCalls;
import java.util.Optional;
import tensor.backend.Backend;
import tensor.backend.Backends;
import tensor.memory.Scope;

/** libtorch in one of its layouts. */
class LibtorchContestant implements Contestant {
    private final Layout layout;
    private KernelCalls kernels;

    LibtorchContestant(int threads, Layout layout) {
        this.layout = layout;
        Libtorch.open(threads);
    }

    @Override
    public Optional<Runnable> prepare(Task task) {
        return switch (task.kind()) {
            case KERNEL, CALL -> new LibtorchKernels(layout).of(calls().find(task));
            case STEP -> Steps.training(task.what(), task.batch(), layout);
            case SAMPLE -> Steps.sampling(task.what(), task.batch(), layout);
        };
    }

    /** Our own backend says which arguments a call has; it computes nothing that is timed, and on one thread. */
    private KernelCalls calls() {
        if (kernels == null) {
            Meter.install();
            Backend backend = Backends.open("cpu", 1).backend();
            Scope.open("bench");
            kernels = new KernelCalls(backend);
        }
        return kernels;
    }
}
