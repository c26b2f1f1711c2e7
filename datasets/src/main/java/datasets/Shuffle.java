package datasets;

/**
 * Chance without a state: every number is a function of (seed, epoch, counter), so any epoch can be entered anywhere.
 *
 * <pre>mix(z):   z ← (z ⊕ z≫30) · 0xbf58476d1ce4e5b9,  z ← (z ⊕ z≫27) · 0x94d049bb133111eb,  z ⊕ z≫31
 * key       = mix(mix(seed + γ·domain) + γ·epoch)              γ = 0x9e3779b97f4a7c15, domain: 1 order, 2 flips
 * bits(i)   = mix(key + γ·(i + 1))
 * below(n)  = ⌊bits · n / 2⁶⁴⌋                                   bias below n / 2⁶³</pre>
 *
 * mix is the output function of SplitMix64 (Steele, Lea and Flood 2014) and its counter form is that generator. The order is
 * Fisher and Yates' shuffle: for i = n−1 .. 1 swap i with below(i + 1).
 */
final class Shuffle {
    private static final long GAMMA = 0x9e3779b97f4a7c15L;
    private static final long ORDER = 1;
    private static final long FLIPS = 2;

    private Shuffle() {}

    /** Fills {@code order} with the permutation of 0 .. n−1 of this epoch. */
    static void permute(long seed, long epoch, int[] order) {
        long key = key(seed, epoch, ORDER);
        for (int i = 0; i < order.length; i++) {
            order[i] = i;
        }
        for (int i = order.length - 1; i > 0; i--) {
            int j = below(i + 1, bits(key, i));
            int swapped = order[i];
            order[i] = order[j];
            order[j] = swapped;
        }
    }

    /** Whether the image at this position of the epoch is mirrored: a fair coin. */
    static boolean flips(long seed, long epoch, int position) {
        return bits(key(seed, epoch, FLIPS), position) < 0;
    }

    private static long key(long seed, long epoch, long domain) {
        return mix(mix(seed + GAMMA * domain) + GAMMA * epoch);
    }

    private static long bits(long key, long counter) {
        return mix(key + GAMMA * (counter + 1));
    }

    /** The top 63 bits as a fraction of 2⁶³, times n. */
    private static int below(int n, long bits) {
        return (int) Math.multiplyHigh(bits >>> 1, 2L * n);
    }

    private static long mix(long z) {
        z = (z ^ (z >>> 30)) * 0xbf58476d1ce4e5b9L;
        z = (z ^ (z >>> 27)) * 0x94d049bb133111ebL;
        return z ^ (z >>> 31);
    }
}
