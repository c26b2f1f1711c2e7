package ddpm.unet;

import java.util.List;

/**
 * The shape of a U-Net; everything that must be known to rebuild it around saved weights.
 *
 * @param topology which published arrangement of blocks, skips and resampling
 * @param height image height, divisible by 2^(levels−1)
 * @param width image width, likewise
 * @param channels image channels
 * @param dim width of the first level
 * @param dimMults width of each level as a multiple of {@code dim}; their number is the number of levels
 * @param block what a block is made of
 * @param groups groups of the norms in ResNet blocks
 * @param scaleShift {@code true}: time scales and shifts the normalised features; {@code false}: it is added to them
 * @param standardized whether the 3x3 filters of ResNet blocks are weight-standardised
 * @param zeroInit whether the last convolution of each residual block, and of the network, starts at zero
 * @param dropout probability of dropping a feature in a ResNet block while training
 * @param blocksPerLevel {@link Topology#DDPM} only: blocks on the way down (one more on the way up)
 * @param attentionLevels {@link Topology#DDPM} only: levels (0 is full resolution) with attention after each block
 */
public record UNetConfig(
        Topology topology,
        int height,
        int width,
        int channels,
        int dim,
        List<Integer> dimMults,
        BlockKind block,
        int groups,
        boolean scaleShift,
        boolean standardized,
        boolean zeroInit,
        double dropout,
        int blocksPerLevel,
        List<Integer> attentionLevels) {

    /** Published arrangements. */
    public enum Topology {
        /**
         * The notebook of "The Annotated Diffusion Model": 7x7 stem, one skip a level, strided 4x4 convolution down,
         * transposed 4x4 convolution up, linear attention at every level.
         */
        NOTEBOOK,
        /**
         * The later text of its blog: 1x1 stem that also joins the head, two skips a level, space-to-depth down,
         * nearest upsampling and 3x3 convolution up, linear attention at every level.
         */
        BLOG,
        /** Ho et al. 2020: a skip after every block, softmax attention at chosen levels and in the middle. */
        DDPM
    }

    /** What a block is made of. */
    public enum BlockKind {
        /** Depthwise 7x7, then two 3x3 convolutions through twice the width (after Liu et al. 2022). */
        CONVNEXT,
        /** Twice convolution, group norm, SiLU (after He et al. 2016). */
        RESNET
    }

    public UNetConfig {
        dimMults = List.copyOf(dimMults);
        attentionLevels = List.copyOf(attentionLevels);
        if (channels < 1 || dim < 4 || dim % 2 != 0)
            throw new IllegalArgumentException(
                    "a U-Net needs at least 1 channel and an even dim of at least 4, not channels " + channels
                            + ", dim " + dim);
        if (dimMults.isEmpty() || dimMults.stream().anyMatch(m -> m < 1))
            throw new IllegalArgumentException("dim-mults must be positive numbers, not " + dimMults);
        if (blocksPerLevel < 1) throw new IllegalArgumentException("a level needs at least one block");
        for (int level : attentionLevels)
            if (level < 0 || level >= dimMults.size())
                throw new IllegalArgumentException("attention level " + level + " is not among the " + dimMults.size()
                        + " levels 0.." + (dimMults.size() - 1));
        if (topology == Topology.DDPM && block != BlockKind.RESNET)
            throw new IllegalArgumentException("the ddpm topology is made of resnet blocks");
        if (block == BlockKind.RESNET)
            for (int mult : dimMults)
                if (dim * mult % groups != 0)
                    throw new IllegalArgumentException("dim " + dim + " times " + mult
                            + " cannot be cut into the " + groups + " groups of the norms: choose a dim divisible by "
                            + groups);
        checkSide("height", height, dimMults);
        checkSide("width", width, dimMults);
    }

    private static void checkSide(String side, int length, List<Integer> dimMults) {
        int divisor = 1 << (dimMults.size() - 1);
        if (length < divisor || length % divisor != 0) {
            int below = length / divisor * divisor;
            throw new IllegalArgumentException("dim-mults " + dimMults + " halve the image " + (dimMults.size() - 1)
                    + " times, so its " + side + " " + length + " must be divisible by " + divisor + ": use "
                    + (below > 0 ? below + " or " : "") + (below + divisor));
        }
    }

    /** The notebook's network: about 3.0 M parameters for one channel. */
    public static UNetConfig notebook(int height, int width, int channels) {
        return new UNetConfig(
                Topology.NOTEBOOK,
                height,
                width,
                channels,
                28,
                List.of(1, 2, 4),
                BlockKind.CONVNEXT,
                4,
                false,
                false,
                false,
                0,
                1,
                List.of());
    }

    /** The blog's later network: 2,020,257 parameters for one channel. */
    public static UNetConfig blog(int height, int width, int channels) {
        return new UNetConfig(
                Topology.BLOG,
                height,
                width,
                channels,
                28,
                List.of(1, 2, 4),
                BlockKind.RESNET,
                4,
                true,
                true,
                false,
                0,
                1,
                List.of());
    }

    /** The CIFAR-10 network of Ho et al. 2020: 35,746,307 parameters for three channels at 32x32. */
    public static UNetConfig ddpmCifar10(int height, int width, int channels) {
        return new UNetConfig(
                Topology.DDPM,
                height,
                width,
                channels,
                128,
                List.of(1, 2, 2, 2),
                BlockKind.RESNET,
                32,
                false,
                false,
                true,
                0.1,
                2,
                List.of(1));
    }

    /** Number of resolutions. */
    public int levels() {
        return dimMults.size();
    }

    /** Width of a level. */
    public int widthOf(int level) {
        return dim * dimMults.get(level);
    }

    /** This shape for other images. */
    public UNetConfig forImages(int height, int width, int channels) {
        return new UNetConfig(
                topology,
                height,
                width,
                channels,
                dim,
                dimMults,
                block,
                groups,
                scaleShift,
                standardized,
                zeroInit,
                dropout,
                blocksPerLevel,
                attentionLevels);
    }
}
