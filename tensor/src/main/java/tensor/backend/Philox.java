package tensor.backend;

/**
 * Philox 4x32-10, a counter-based random generator (Salmon et al. 2011): draw number i of a stream is a function of
 * (seed, i) alone, so any part of a stream can be made by anyone in any order, and a run is resumed by remembering one
 * number. The key is the 64-bit seed, the counter is ⌊i/4⌋ and yields four words, word i mod 4 is draw i.
 *
 * <p>How {@link Distribution}s read the words w (each draw uses the word of its own index):
 *
 * <pre>uniform   (w &gt;&gt;&gt; 8) · 2⁻²⁴                     integers  ⌊w · bound / 2³²⌋
 * keep      1/p where (w &gt;&gt;&gt; 8) · 2⁻²⁴ &lt; p, else 0
 * normal    Box–Muller on words 2k, 2k+1, in double: u = (w₂ₖ + ½) · 2⁻³², v = w₂ₖ₊₁ · 2⁻³²,
 *           r = √(−2 ln u);  draw 2k is r cos 2πv, draw 2k+1 is r sin 2πv</pre>
 */
public final class Philox {
    private static final int M0 = 0xD2511F53;
    private static final int M1 = 0xCD9E8D57;
    private static final int W0 = 0x9E3779B9;
    private static final int W1 = 0xBB67AE85;

    private Philox() {}

    /** The four words of counter block {@code block}, as signed ints holding 32 bits each, into {@code words}. */
    public static void block(long seed, long block, int[] words) {
        words[0] = (int) block;
        words[1] = (int) (block >>> 32);
        words[2] = 0;
        words[3] = 0;
        permute((int) seed, (int) (seed >>> 32), words);
    }

    /** The generator itself: replaces the 128-bit counter in {@code words} by its image under the 64-bit key. */
    static void permute(int k0, int k1, int[] words) {
        int c0 = words[0];
        int c1 = words[1];
        int c2 = words[2];
        int c3 = words[3];
        for (int round = 0; round < 10; round++) {
            long p0 = Integer.toUnsignedLong(M0) * Integer.toUnsignedLong(c0);
            long p1 = Integer.toUnsignedLong(M1) * Integer.toUnsignedLong(c2);
            int n0 = (int) (p1 >>> 32) ^ c1 ^ k0;
            int n2 = (int) (p0 >>> 32) ^ c3 ^ k1;
            c0 = n0;
            c1 = (int) p1;
            c2 = n2;
            c3 = (int) p0;
            k0 += W0;
            k1 += W1;
        }
        words[0] = c0;
        words[1] = c1;
        words[2] = c2;
        words[3] = c3;
    }

    /** Draw {@code 2k} and {@code 2k + 1} of the standard normal from words 2k and 2k+1 (Box–Muller). */
    public static void normalPair(int first, int second, double[] pair) {
        double radius = Math.sqrt(-2 * Math.log((Integer.toUnsignedLong(first) + 0.5) * 0x1p-32));
        double angle = 2 * Math.PI * (Integer.toUnsignedLong(second) * 0x1p-32);
        pair[0] = radius * Math.cos(angle);
        pair[1] = radius * Math.sin(angle);
    }

    /** A draw that needs one word: uniform, integers or keep. */
    public static double fromWord(Distribution distribution, int word) {
        return switch (distribution.kind()) {
            case UNIFORM -> (word >>> 8) * 0x1p-24;
            case INTEGERS -> (Integer.toUnsignedLong(word) * (long) distribution.parameter()) >>> 32;
            case KEEP -> (word >>> 8) * 0x1p-24 < distribution.parameter() ? 1 / distribution.parameter() : 0;
            case NORMAL -> throw new IllegalArgumentException("a normal draw needs two words");
        };
    }
}
