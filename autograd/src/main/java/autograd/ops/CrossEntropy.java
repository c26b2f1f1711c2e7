package autograd.ops;

import autograd.Op;
import autograd.Tape;
import autograd.Variable;
import java.util.stream.IntStream;
import tensor.Shape;
import tensor.Tensor;
import tensor.backend.BinaryOp;
import tensor.backend.ReduceOp;
import tensor.backend.UnaryOp;
import tensor.memory.Scope;

/**
 * {@code y = −ln p[label]}, p = softmax(logits), the surprise at the true class; dlogits = (p − e[label]) · dy, e[k] the k-th
 * unit vector. Shapes: logits [N,K], label [N] of whole numbers in 0 … K−1 → y [N]. The label gets no gradient. A
 * probability below 1e−30 counts as that. Keeps: p, e[label].
 */
public record CrossEntropy() implements Op {
    private static final double SMALLEST = 1e-30;

    public static Variable crossEntropy(Variable logits, Variable label) {
        return Tape.record(new CrossEntropy(), logits, label);
    }

    @Override
    public Result apply(Tensor... in) {
        Tensor logits = in[0];
        Tensor label = in[1];
        int n = logits.shape().get(0);
        Tensor p = logits.emptyLike();
        p.backend().softmax(1, logits, p);
        Tensor truth = truth(logits, label);
        Tensor chosen = p.mul(truth).reduce(ReduceOp.SUM, Shape.of(n, 1));
        Tensor y = chosen.map(BinaryOp.MAX, p.scalar(SMALLEST)).map(UnaryOp.LOG).map(UnaryOp.NEG);
        return new Result(y.reshape(n), (dy, needed) ->
                new Tensor[] {p.sub(truth).mul(dy.reshape(n, 1)), null});
    }

    /** e[label] [N,K]: 1 at the one class k with k ≥ label and label ≥ k. */
    private static Tensor truth(Tensor logits, Tensor label) {
        return Scope.local("truth", () -> {
            int classes = logits.shape().get(1);
            double[] numbers = IntStream.range(0, classes).asDoubleStream().toArray();
            Tensor k = Tensor.of(label.backend(), label.dtype(), Shape.of(classes), numbers);
            Tensor named = label.emptyLike();
            label.backend().gather(k, label, named); // the label again, but one that names no class throws
            Tensor own = named.reshape(-1, 1);
            Tensor equal = k.map(BinaryOp.GREATER_EQUAL, own).mul(own.map(BinaryOp.GREATER_EQUAL, k));
            return equal.cast(logits.dtype());
        });
    }
}
