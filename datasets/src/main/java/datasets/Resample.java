package datasets;

/**
 * Scales an image until it just covers the target, keeps its centre and cuts the overhang.
 *
 * <pre>s = min(H/h, W/w)                         source pixels per target pixel
 * s ≥ 1:  y[i] = 1/s · ∫ x over [a + i·s, a + (i+1)·s],   a = (H − h·s)/2           area average, no aliasing
 * s &lt; 1:  y[i] = (1−f)·x[k] + f·x[k+1],   k + f = a + (i + ½)·s − ½                  linear interpolation</pre>
 *
 * The same weights along rows and columns, one axis after the other. Averages are of the stored (gamma-encoded) values, as
 * usual in the field. At equal sizes it is an exact copy.
 */
final class Resample {
    private Resample() {}

    /** The source positions and weights of every target position along one axis: {@code taps} of each per position. */
    private record Axis(int taps, int[] index, float[] weight) {
        static Axis of(int from, int to, double scale) {
            double start = (from - to * scale) / 2;
            int taps = scale >= 1 ? (int) Math.ceil(scale) + 1 : 2;
            Axis axis = new Axis(taps, new int[to * taps], new float[to * taps]);
            for (int i = 0; i < to; i++) {
                if (scale >= 1) {
                    axis.average(i, start + i * scale, start + (i + 1) * scale, from);
                } else {
                    axis.interpolate(i, start + (i + 0.5) * scale - 0.5, from);
                }
            }
            return axis;
        }

        private void average(int i, double begin, double end, int from) {
            int first = (int) Math.floor(begin);
            for (int t = 0; t < taps; t++) {
                double covered = Math.min(end, first + t + 1) - Math.max(begin, first + t);
                index[i * taps + t] = clamp(first + t, from);
                weight[i * taps + t] = (float) (Math.max(0, covered) / (end - begin));
            }
        }

        private void interpolate(int i, double position, int from) {
            int first = (int) Math.floor(position);
            float f = (float) (position - first);
            index[i * taps] = clamp(first, from);
            index[i * taps + 1] = clamp(first + 1, from);
            weight[i * taps] = 1 - f;
            weight[i * taps + 1] = f;
        }

        private static int clamp(int i, int length) {
            return Math.max(0, Math.min(length - 1, i));
        }
    }

    /** source [height, width, channels] → target [toHeight, toWidth, channels] at {@code offset}; unsigned bytes. */
    static void cover(
            byte[] source, int height, int width, int channels, byte[] target, int offset, int toHeight, int toWidth) {
        double scale = Math.min((double) height / toHeight, (double) width / toWidth);
        Axis columns = Axis.of(width, toWidth, scale);
        Axis rows = Axis.of(height, toHeight, scale);

        float[] narrow = new float[height * toWidth * channels]; // [height, toWidth, channels]
        for (int h = 0; h < height; h++) {
            for (int w = 0; w < toWidth; w++) {
                for (int c = 0; c < channels; c++) {
                    float sum = 0;
                    for (int t = w * columns.taps; t < (w + 1) * columns.taps; t++) {
                        sum += columns.weight[t] * (source[(h * width + columns.index[t]) * channels + c] & 0xFF);
                    }
                    narrow[(h * toWidth + w) * channels + c] = sum;
                }
            }
        }
        int row = toWidth * channels;
        for (int h = 0; h < toHeight; h++) {
            for (int k = 0; k < row; k++) {
                float sum = 0;
                for (int t = h * rows.taps; t < (h + 1) * rows.taps; t++) {
                    sum += rows.weight[t] * narrow[rows.index[t] * row + k];
                }
                target[offset + h * row + k] = (byte) Math.max(0, Math.min(255, Math.round(sum)));
            }
        }
    }
}
