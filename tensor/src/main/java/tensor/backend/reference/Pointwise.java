package tensor.backend.reference;

import tensor.Shape;
import tensor.backend.BinaryOp;
import tensor.backend.Distribution;
import tensor.backend.Philox;
import tensor.backend.UnaryOp;

/** Calls that make each element by itself: y[i] = f(x[i]), y[i] = f(a[i], b[i]), y[i] = draw number offset + i. */
final class Pointwise {
    private Pointwise() {}

    /** y[i] = f(x[i]). */
    static void unary(UnaryOp f, double[] x, double[] y) {
        for (int i = 0; i < y.length; i++) y[i] = f.apply(x[i]);
    }

    /** y[i] = f(a[i], b[i]); along an axis where a or b has extent 1 its one element serves every i. */
    static void binary(BinaryOp f, double[] a, Shape as, double[] b, Shape bs, double[] y, Shape ys) {
        long[][] strides = {as.stridesIn(ys), bs.stridesIn(ys), ys.strides()};
        Rows.forEach(ys.toArray(), new long[3], strides, (at, step, length) -> {
            for (int i = 0; i < length; i++) y[at[2] + i] = f.apply(a[at[0] + i * step[0]], b[at[1] + i * step[1]]);
        });
    }

    /** y[i] = draw {@code offset + i}; {@code offset} is a multiple of 4, so every block begins with word 0. */
    static void random(Distribution distribution, long seed, long offset, double[] y) {
        int[] words = new int[4];
        double[] pair = new double[2];
        for (int i = 0; i < y.length; i++) {
            int word = i % 4;
            if (word == 0) Philox.block(seed, (offset + i) / 4, words);
            if (distribution.kind() != Distribution.Kind.NORMAL) {
                y[i] = Philox.fromWord(distribution, words[word]);
            } else {
                if (word % 2 == 0) Philox.normalPair(words[word], words[word + 1], pair);
                y[i] = pair[word % 2];
            }
        }
    }
}
