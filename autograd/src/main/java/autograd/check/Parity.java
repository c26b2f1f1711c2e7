package autograd.check;

import autograd.Gradients;
import autograd.Tape;
import autograd.Variable;
import autograd.ops.Mul;
import autograd.ops.Sum;
import java.util.ArrayList;
import java.util.List;
import tensor.DType;
import tensor.Tensor;
import tensor.backend.Backend;
import tensor.memory.Scope;

/** A case on one backend and on another: what each gives, and how far that is apart. */
public final class Parity {
    private Parity() {}

    /** The value y, then the gradient of ⟨u, y⟩ for every input that has one; inputs and u are the same on every backend. */
    public static List<double[]> results(OpCase c, Backend backend, DType dtype) {
        List<double[]> results = new ArrayList<>();
        try (Scope scope = Scope.open("parity");
                Tape tape = Tape.start()) {
            Tensor[] values = new Tensor[c.inputs().size()];
            for (int k = 0; k < values.length; k++)
                values[k] = c.inputs().get(k).draw(backend, dtype, 50 + k);
            Variable[] x = OpCatalogue.variables(c, values);
            Variable y = c.function().apply(x);
            results.add(y.value().toDoubles());
            Tensor u = new OpCase.Input(y.shape(), -1, 1, OpCase.Input.Role.VALUE)
                    .draw(backend, y.value().dtype(), 99);
            Gradients gradients = tape.backward(Sum.sum(Mul.mul(y, Variable.constant(u))));
            for (Variable v : x)
                if (gradients.of(v) != null) results.add(gradients.of(v).toDoubles());
        }
        return results;
    }

    /** ‖a − b‖ / ‖b‖; infinite where a number is missing. */
    public static double distance(double[] a, double[] b) {
        double difference = 0;
        double size = 1e-12 * b.length;
        for (int i = 0; i < a.length; i++) {
            difference += (a[i] - b[i]) * (a[i] - b[i]);
            size += b[i] * b[i];
        }
        double error = Math.sqrt(difference / size);
        return Double.isNaN(error) ? Double.POSITIVE_INFINITY : error;
    }
}
