package optim;

import java.util.LinkedHashMap;
import java.util.Map;
import nn.Parameter;
import tensor.Tensor;
import tensor.memory.Scope;

/** Stochastic gradient descent with momentum μ (0 for none): {@code u ← μ u + g, w ← w − α u}. */
public final class Sgd implements Optimizer {
    private final double momentum;
    private final Map<String, Tensor> velocity = new LinkedHashMap<>();
    private long steps;

    /** The velocities, if there is momentum, join the innermost scope. */
    public Sgd(Map<String, Parameter> parameters, double momentum) {
        this.momentum = momentum;
        if (momentum != 0)
            parameters.forEach((name, p) -> velocity.put(name, p.value().fullLike(0)));
    }

    @Override
    public void step(Updates updates, double learningRate, double gradientScale) {
        steps++;
        for (int i = 0; i < updates.names().length; i++) {
            try (Scope scope = Scope.open("sgd")) {
                Tensor update =
                        updates.gradients()[i].cast(updates.values()[i].dtype()).mul_(gradientScale);
                if (momentum != 0)
                    update = velocity.get(updates.names()[i]).mul_(momentum).add_(update);
                updates.values()[i].add_(update.mul(-learningRate));
            }
        }
    }

    @Override
    public long steps() {
        return steps;
    }

    @Override
    public Map<String, Tensor> state() {
        Map<String, Tensor> state = new LinkedHashMap<>();
        velocity.forEach((name, u) -> state.put("momentum/" + name, u));
        return state;
    }

    @Override
    public void restore(long steps) {
        this.steps = steps;
    }
}
