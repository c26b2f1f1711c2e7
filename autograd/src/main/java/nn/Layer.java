package nn;

import static autograd.ops.CastAll.castAll;

import autograd.Tape;
import autograd.Variable;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Supplier;
import tensor.DType;
import tensor.Tensor;
import tensor.memory.Scope;

/**
 * A part of a network: parameters of its own and child layers, each under a name. The dotted path of names from the
 * root is a parameter's name, and registration order is its order; nothing is found by reflection.
 */
public abstract class Layer {
    private final Map<String, Parameter> own = new LinkedHashMap<>();
    private final Map<String, Layer> children = new LinkedHashMap<>();

    /** Registers a tensor of this layer. */
    protected final Parameter parameter(String name, Tensor value, Parameter.Layout layout) {
        return register(name, new Parameter(Variable.leaf(value), layout));
    }

    /** Registers a tensor that is kept in files like any parameter but gets no gradient, so that it stays as it is. */
    protected final Parameter fixed(String name, Tensor value, Parameter.Layout layout) {
        return register(name, new Parameter(Variable.constant(value), layout));
    }

    private Parameter register(String name, Parameter parameter) {
        if (own.put(name, parameter) != null) throw new IllegalStateException("two parameters are named " + name);
        return parameter;
    }

    /** Registers a layer under a name, which may be a path ({@code "fn.norm"}). */
    protected final <L extends Layer> L child(String name, L layer) {
        if (children.put(name, layer) != null) throw new IllegalStateException("two layers are named " + name);
        return layer;
    }

    /** All parameters below here by their dotted names, in registration order. */
    public final Map<String, Parameter> parameters() {
        Map<String, Parameter> all = new LinkedHashMap<>();
        collect("", all);
        return all;
    }

    private void collect(String path, Map<String, Parameter> all) {
        own.forEach((name, parameter) -> all.put(path + name, parameter));
        children.forEach((name, layer) -> layer.collect(path + name + ".", all));
    }

    /** Number of values in all parameters. */
    public final long parameterCount() {
        return parameters().values().stream()
                .mapToLong(p -> p.value().shape().size())
                .sum();
    }

    /**
     * Runs a network whose layers compute in {@code type}: where the parameters have another, all are rounded in one call
     * before, not each in a call of its own where it is needed; unless this runs within such a body, where they are already.
     */
    protected final <R> R rounded(DType type, Supplier<R> body) {
        List<Parameter> others = parameters().values().stream()
                .filter(p -> p.value().dtype() != type && !p.isRounded())
                .toList();
        if (others.isEmpty()) return body.get();
        Variable[] rounded =
                castAll(type, others.stream().map(Parameter::variable).toArray(Variable[]::new));
        for (int i = 0; i < rounded.length; i++) others.get(i).rounded(rounded[i]);
        try {
            return body.get();
        } finally {
            others.forEach(p -> p.rounded(null));
        }
    }

    /**
     * Runs one block of a network. While sampling, what the block computes on the way is released at its end and only
     * the result stays; while a tape records, the tape decides what is still needed.
     */
    protected static Variable local(String name, Supplier<Variable> body) {
        if (Tape.isRecording()) return body.get();
        try (Scope scope = Scope.open(name)) {
            Variable y = body.get();
            scope.keep(y.value());
            return y;
        }
    }
}
