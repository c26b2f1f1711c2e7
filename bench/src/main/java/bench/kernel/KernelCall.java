package bench.kernel;

import autograd.Tape;
import autograd.Variable;
import autograd.check.OpCase;
import autograd.check.OpCatalogue;
import autograd.ops.Sum;
import bench.Meter;
import bench.Work;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.StringJoiner;
import tensor.DType;
import tensor.Shape;
import tensor.Tensor;
import tensor.backend.Backend;
import tensor.backend.Mask;
import tensor.backend.NormInputs;
import tensor.backend.Region;
import tensor.memory.Scope;

/**
 * One call that an op makes to the backend, forward or in its pullback, with its arguments: recorded once while the op runs
 * ({@link Meter}), and then repeated as often as a benchmark likes. The arguments stay alive until {@link #close}.
 */
public final class KernelCall implements AutoCloseable {
    /** Calls that prepare and do not compute. */
    private static final Set<String> PREPARATIONS =
            Set.of("allocate", "upload", "download", "random", "fill", "synchronize");

    private final String label;
    private final Backend backend;
    private final Method method;
    private final Object[] arguments;

    private KernelCall(String label, Backend backend, Method method, Object[] arguments) {
        this.label = label;
        this.backend = backend;
        this.method = method;
        this.arguments = arguments;
        for (Tensor t : tensors()) t.buffer().retain();
    }

    /** The calls of an op and its pullback in the backend's precision, in order. {@link Meter#install} has come before the backend was opened. */
    public static List<KernelCall> of(OpCase op, Backend backend) {
        List<KernelCall> calls = new ArrayList<>();
        try (Scope scope = Scope.open("record");
                Tape tape = Tape.start()) {
            Tensor[] values = new Tensor[op.inputs().size()];
            for (int k = 0; k < values.length; k++)
                values[k] = op.inputs().get(k).draw(backend, backend.precision().compute(), k);
            Meter.Listener recorder = (on, name, arguments, nanos) -> {
                if (prepares(name)) return;
                int before =
                        (int) calls.stream().filter(c -> c.name().equals(name)).count();
                String label = op + " / " + name + (before == 0 ? "" : " " + (before + 1));
                calls.add(of(label, on, name, arguments));
            };
            Meter.watch(recorder);
            Variable y = op.function().apply(OpCatalogue.variables(op, values));
            Meter.watch(null);
            Variable loss = y.shape().size() == 1 ? y : Sum.sum(y);
            int[] ofTheSum = {loss == y ? 0 : 1}; // its pullback is one copy
            Meter.watch((on, name, arguments, nanos) -> {
                if (prepares(name) || ofTheSum[0]-- > 0) return;
                recorder.call(on, name, arguments, nanos);
            });
            tape.backward(loss);
        } finally {
            Meter.watch(null);
        }
        return calls;
    }

    /** A call that somebody has seen, under a label of one's own. */
    static KernelCall of(String label, Backend backend, String name, Object[] arguments) {
        return new KernelCall(label, backend, method(name, arguments), arguments);
    }

    /** Whether a call of this name only makes ready. */
    static boolean prepares(String name) {
        return PREPARATIONS.contains(name);
    }

    /** The name with the parameters, shapes and types of the arguments: what makes two calls the same work. */
    public static String describe(String name, Object[] arguments) {
        StringJoiner text = new StringJoiner(" ").add(name);
        for (Object argument : arguments) {
            if (argument instanceof Tensor x) text.add(x.shape() + type(x));
            else if (argument instanceof NormInputs in) for (Tensor x : in.tensors()) text.add(x.shape() + type(x));
            else if (argument instanceof Region region) text.add(describe(region));
            else if (argument instanceof Tensor[] many)
                text.add(many.length + " tensors" + (many.length == 0 ? "" : type(many[0])));
            else if (argument instanceof Region[] many) text.add(describe(many));
            else if (argument instanceof Mask) text.add("dropout"); // wherever it is drawn
            else if (argument != null && !argument.getClass().isArray()) text.add(argument.toString());
        }
        return text.toString();
    }

    /** Nothing for floats. */
    private static String type(Tensor x) {
        return x.dtype() == DType.F32 ? "" : ":" + x.dtype().name().toLowerCase(Locale.ROOT);
    }

    private static String describe(Region region) {
        return Shape.of(region.sizes()) + "/" + Arrays.toString(region.strides()) + type(region.tensor());
    }

    /** Each region, those that are alike together. */
    private static String describe(Region[] many) {
        Map<String, Integer> counts = new LinkedHashMap<>();
        for (Region region : many) counts.merge(describe(region), 1, Integer::sum);
        StringJoiner text = new StringJoiner(", ", "{", "}");
        counts.forEach((region, count) -> text.add(count + " x " + region));
        return text.toString();
    }

    private static Method method(String name, Object[] arguments) {
        return Arrays.stream(Backend.class.getMethods())
                .filter(m -> m.getName().equals(name) && takes(m, arguments))
                .findFirst()
                .orElseThrow();
    }

    private static boolean takes(Method method, Object[] arguments) {
        Class<?>[] types = method.getParameterTypes();
        boolean all = types.length == arguments.length;
        for (int i = 0; all && i < types.length; i++)
            all = types[i].isPrimitive() || arguments[i] == null || types[i].isInstance(arguments[i]);
        return all;
    }

    /** Computes once. */
    public void run() {
        try {
            method.invoke(backend, arguments);
        } catch (IllegalAccessException | InvocationTargetException e) {
            throw new IllegalStateException(this + " failed", e);
        }
    }

    /** The call's name, as in {@link Backend}. */
    public String name() {
        return method.getName();
    }

    /** What the call was given. */
    public Object[] arguments() {
        return arguments.clone();
    }

    /** What it has to do. */
    public Work work() {
        return Work.of(name(), arguments);
    }

    private List<Tensor> tensors() {
        List<Tensor> tensors = new ArrayList<>();
        for (Object argument : arguments) {
            if (argument instanceof Tensor t) tensors.add(t);
            else if (argument instanceof NormInputs in) tensors.addAll(in.tensors());
            else if (argument instanceof Tensor[] many) tensors.addAll(List.of(many));
            else if (argument instanceof Region region) tensors.add(region.tensor());
            else if (argument instanceof Region[] many) for (Region region : many) tensors.add(region.tensor());
        }
        return tensors;
    }

    /** Releases the arguments. */
    @Override
    public void close() {
        for (Tensor t : tensors()) t.buffer().release();
    }

    @Override
    public String toString() {
        return label;
    }
}
