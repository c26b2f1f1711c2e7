package ddpm;

import datasets.Dataset;

/** Pictures of two classes that anything can tell apart, and that a mean tells from each other when they are drawn. */
public final class Halves {
    private Halves() {}

    /** Class 0 is dark, class 1 is bright, in turn; 8x8, grey. */
    public static Dataset of(int count) {
        byte[] pixels = new byte[count * 64];
        int[] labels = new int[count];
        for (int n = 0; n < count; n++) {
            labels[n] = n % 2;
            for (int i = 0; i < 64; i++) pixels[n * 64 + i] = (byte) ((n % 2 == 0 ? 20 : 200) + (n * 7 + i) % 16);
        }
        return Dataset.of("halves", 8, 8, 1, pixels, labels);
    }
}
