package optim;

import autograd.Gradients;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import nn.Parameter;
import tensor.Tensor;

/**
 * The gradients of one step, lined up with the parameters they belong to. A parameter on which the loss does not depend
 * is left out.
 *
 * @param names path of each parameter
 * @param values the parameters
 * @param gradients dL/dw of each
 */
public record Updates(String[] names, Tensor[] values, Tensor[] gradients) {
    /** The gradients of these parameters. */
    public static Updates of(Map<String, Parameter> parameters, Gradients gradients) {
        List<String> names = new ArrayList<>();
        List<Tensor> values = new ArrayList<>();
        List<Tensor> slopes = new ArrayList<>();
        parameters.forEach((name, parameter) -> {
            Tensor gradient = gradients.of(parameter.variable());
            if (gradient == null) return;
            names.add(name);
            values.add(parameter.value());
            slopes.add(gradient);
        });
        return new Updates(names.toArray(String[]::new), values.toArray(Tensor[]::new), slopes.toArray(Tensor[]::new));
    }

    /** ‖g‖₂ over all gradients together; not finite exactly when some gradient is not. */
    public double norm() {
        return gradients.length == 0 ? 0 : Math.sqrt(gradients[0].backend().sumOfSquares(gradients));
    }

    /** The factor that brings the global norm down to {@code limit}: min(1, limit/norm); 0 means no limit. */
    public static double clipFactor(double norm, double limit) {
        return limit <= 0 || norm <= limit ? 1 : limit / norm;
    }

    /** Name of the first parameter whose gradient holds an Inf or NaN, or {@code null}. */
    public String firstNonFinite() {
        for (int i = 0; i < gradients.length; i++)
            if (!Double.isFinite(gradients[i].backend().sumOfSquares(new Tensor[] {gradients[i]}))) return names[i];
        return null;
    }

    /** Adds the gradients of another batch, in place. */
    public void add(Updates other) {
        for (int i = 0; i < gradients.length; i++) gradients[i].add_(other.gradients[i]);
    }
}
