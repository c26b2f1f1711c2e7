package ddpm.train;

/** How the learning rate falls after the warm-up. */
public enum Decay {
    CONSTANT,
    COSINE,
    LINEAR
}
