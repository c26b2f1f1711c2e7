package tensor.backend.reference;

import tensor.Shape;

/**
 * Softmax along one axis: y = exp(x − max) / Σ exp(x − max). An array seen from its axis is [outer, L, inner]; the L
 * elements of one line lie {@code inner} apart.
 */
final class Softmax {
    private Softmax() {}

    /** y_l = exp(x_l − max x) / Σ_j exp(x_j − max x) on every line. */
    static void softmax(int axis, Shape shape, double[] x, double[] y) {
        int length = shape.get(axis);
        int inner = (int) shape.strides()[axis];
        for (int line = 0; line < x.length / length; line++) {
            int start = line / inner * length * inner + line % inner;
            double max = Double.NEGATIVE_INFINITY;
            for (int l = 0; l < length; l++) max = Math.max(max, x[start + l * inner]);
            double sum = 0;
            for (int l = 0; l < length; l++) sum += y[start + l * inner] = Math.exp(x[start + l * inner] - max);
            for (int l = 0; l < length; l++) y[start + l * inner] /= sum;
        }
    }

    /** dx_l = y_l · (dy_l − Σ_j y_j dy_j) on every line: ∂y_j/∂x_l = y_j (δ_jl − y_l). */
    static void backward(int axis, Shape shape, double[] y, double[] dy, double[] dx) {
        int length = shape.get(axis);
        int inner = (int) shape.strides()[axis];
        for (int line = 0; line < y.length / length; line++) {
            int start = line / inner * length * inner + line % inner;
            double dot = 0;
            for (int l = 0; l < length; l++) dot += y[start + l * inner] * dy[start + l * inner];
            for (int l = 0; l < length; l++) {
                int i = start + l * inner;
                dx[i] = y[i] * (dy[i] - dot);
            }
        }
    }
}
