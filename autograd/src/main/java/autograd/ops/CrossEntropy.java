package autograd.ops;

import autograd.Op;
import autograd.Tape;
import autograd.Variable;
import tensor.Shape;
import tensor.Tensor;
import tensor.backend.BinaryOp;
import tensor.backend.ReduceOp;
import tensor.backend.UnaryOp;

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
        int k = logits.shape().get(1);
        Tensor p = logits.emptyLike();
        p.backend().softmax(1, logits, p);
        double[] unit = new double[k * k];
        for (int i = 0; i < k; i++) unit[i * k + i] = 1;
        Tensor truth = logits.emptyLike(); // e[label], [N,K]
        p.backend().gather(Tensor.of(p.backend(), p.dtype(), Shape.of(k, k), unit), label, truth);
        Tensor chosen = p.mul(truth).reduce(ReduceOp.SUM, Shape.of(n, 1));
        Tensor y = chosen.map(BinaryOp.MAX, p.scalar(SMALLEST)).map(UnaryOp.LOG).map(UnaryOp.NEG);
        return new Result(y.reshape(n), (dy, needed) ->
                new Tensor[] {p.sub(truth).mul(dy.reshape(n, 1)), null});
    }
}
