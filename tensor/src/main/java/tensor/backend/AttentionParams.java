package tensor.backend;

import tensor.Shape;

/**
 * Multi-head attention over the positions of a sequence.
 *
 * @param heads number of heads
 * @param scale factor on the queries, usually 1/√d
 */
public record AttentionParams(int heads, double scale) {
    public AttentionParams {
        if (heads < 1) throw new IllegalArgumentException("attention needs at least one head, not " + heads);
    }

    /** Width d of one head, from qkv [N, L, 3·heads·d]. */
    public int headWidth(Shape qkv) {
        qkv.expect(-1, -1, -1);
        if (qkv.get(2) % (3 * heads) != 0)
            throw new IllegalArgumentException(qkv + " does not hold queries, keys and values of " + heads + " heads");
        return qkv.get(2) / (3 * heads);
    }
}
