package bench.kernel;

import autograd.check.NetworkCases;
import autograd.check.OpCase;
import bench.Task;
import java.util.List;
import tensor.backend.Backend;

/**
 * Calls by the {@link Task task} that names them: of a {@link NetworkCases case}, {@code Conv2d: resnet, 3x3, 28 to 28 @ 28 /
 * conv2d}, or of a preset's step ({@link StepCalls}). Only the case, or the step, that was asked for last is in memory.
 */
public final class KernelCalls implements AutoCloseable {
    private final Backend backend;
    private List<KernelCall> recorded = List.of();
    private String recordedCase = "";
    private StepCalls step;
    private String recordedStep = "";

    /** Of a backend that was opened after {@link bench.Meter#install}. */
    public KernelCalls(Backend backend) {
        this.backend = backend;
    }

    /** All calls of one case; the calls of other cases that were handed out before are gone. */
    private List<KernelCall> of(OpCase op) {
        if (!recordedCase.equals(op.toString())) {
            close();
            recorded = KernelCall.of(op, backend);
            recordedCase = op.toString();
        }
        return recorded;
    }

    /** The call that a task is about, which is of the kind KERNEL or CALL. */
    public KernelCall find(Task task) {
        return task.kind() == Task.Kind.KERNEL ? named(task.what()) : ofStep(task);
    }

    private KernelCall named(String name) {
        for (OpCase op : NetworkCases.all())
            if (name.startsWith(op + " / "))
                for (KernelCall call : of(op)) if (call.toString().equals(name)) return call;
        throw new IllegalArgumentException("no kernel is called \"" + name + "\"");
    }

    private KernelCall ofStep(Task task) {
        int slash = task.what().indexOf('/');
        String wanted = task.what().substring(0, slash) + ":" + task.batch();
        if (!wanted.equals(recordedStep)) {
            close();
            step = new StepCalls(task.what().substring(0, slash), task.batch(), backend);
            recordedStep = wanted;
        }
        return step.calls().get(Integer.parseInt(task.what().substring(slash + 1)));
    }

    @Override
    public void close() {
        recorded.forEach(KernelCall::close);
        recorded = List.of();
        recordedCase = "";
        if (step != null) step.close();
        step = null;
        recordedStep = "";
    }
}
