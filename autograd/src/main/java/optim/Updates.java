package optim;

import autograd.Gradients;
import java.util.ArrayList;
import java.util.Arrays;
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
 * @param gradients dL/dw of each, to be read only
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

    /**
     * The same with gradients of their own, in the types of the parameters, that those of other batches can be added to: what a
     * sweep leaves may be one tensor for two parameters, and rounded.
     */
    public Updates copy() {
        Tensor[] copies = Arrays.stream(values).map(Tensor::emptyLike).toArray(Tensor[]::new);
        if (copies.length > 0) copies[0].backend().cast(gradients, copies);
        return new Updates(names, values, copies);
    }

    /**
     * Adds the gradients of another batch to those of a {@link #copy}, in place.
     *
     * @throws IllegalArgumentException when the losses of the two depend on different parameters
     */
    public void add(Updates other) {
        int i = Arrays.mismatch(names, other.names);
        if (i >= 0)
            throw new IllegalArgumentException("the losses of two batches depend on different parameters, from "
                    + (i < names.length ? names : other.names)[i] + " on");
        Tensor[] more = other.copy().gradients;
        for (int k = 0; k < gradients.length; k++) gradients[k].add_(more[k]);
    }
}
