package ddpm.unet;

import java.util.Arrays;
import java.util.List;
import java.util.Optional;

/**
 * The shape of a network of "The Annotated Diffusion Model", in any of its published {@link Generation}s or in a
 * combination of their parts that was never published.
 *
 * @param topology arrangement of blocks, skips and resampling
 * @param height image height, divisible by 2^(levels−1)
 * @param width image width, likewise
 * @param channels image channels
 * @param stem width of the first convolution; the notebook's is its own, the blog's is {@code dim}
 * @param dim width of the first level
 * @param dimMults width of each level as a multiple of {@code dim}; their number is the number of levels
 * @param block what a block is made of
 * @param groups groups of the norms in ResNet blocks
 * @param widen width inside a ConvNeXt block as a multiple of its output's
 * @param norm the norm of ConvNeXt blocks and of attention
 * @param scaleShift {@code true}: time scales and shifts the normalised features; {@code false}: it is added to them
 * @param filters what is done to the 3x3 filters of ResNet blocks
 * @param zeroInit whether the last convolution of each residual block, and of the network, starts at zero
 * @param dropout probability of dropping a feature in a ResNet block while training
 */
public record AnnotatedConfig(
        Topology topology,
        int height,
        int width,
        int channels,
        int stem,
        int dim,
        List<Integer> dimMults,
        BlockKind block,
        int groups,
        int widen,
        Norm norm,
        boolean scaleShift,
        Filters filters,
        boolean zeroInit,
        double dropout)
        implements UNetConfig {

    /** Published arrangements. */
    public enum Topology {
        /**
         * 7x7 stem, one skip a level, strided 4x4 convolution down, transposed 4x4 convolution up, linear attention at
         * every level.
         */
        NOTEBOOK,
        /**
         * 1x1 stem that also joins the head, two skips a level, space-to-depth down, nearest upsampling and 3x3
         * convolution up, linear attention at every level.
         */
        BLOG
    }

    /** What a block is made of. */
    public enum BlockKind {
        /** Depthwise 7x7, then two 3x3 convolutions through a greater width (after Liu et al. 2022). */
        CONVNEXT,
        /** Twice convolution, group norm, SiLU (after He et al. 2016). */
        RESNET
    }

    /** The norm of ConvNeXt blocks and of attention. */
    public enum Norm {
        /** Group norm of one group: over the whole image. */
        IMAGE,
        /** Layer norm: each pixel over its channels. */
        PIXEL
    }

    /** What is done to the 3x3 filters of ResNet blocks. */
    public enum Filters {
        /** Nothing. */
        PLAIN,
        /** Weight standardisation: mean 0, variance 1. */
        STANDARDIZED,
        /** Weight standardisation as the blog printed it from October 2023 to November 2024: mean 0, times the deviation. */
        MISPRINTED
    }

    /** What was published, and when. */
    public enum Generation {
        /** The blog as it first appeared, June 2022: the notebook's network with layer norms. */
        BLOG_2022(Topology.NOTEBOOK, Norm.PIXEL, false, Filters.PLAIN),
        /** The notebook. */
        NOTEBOOK(Topology.NOTEBOOK, Norm.IMAGE, false, Filters.PLAIN),
        /** The blog from October 2023 to November 2024: {@link #BLOG} but for the misprinted standardisation. */
        BLOG_2023(Topology.BLOG, Norm.IMAGE, true, Filters.MISPRINTED),
        /** The blog since November 2024. */
        BLOG(Topology.BLOG, Norm.IMAGE, true, Filters.STANDARDIZED);

        private final Topology topology;
        private final Norm norm;
        private final boolean scaleShift;
        private final Filters filters;

        Generation(Topology topology, Norm norm, boolean scaleShift, Filters filters) {
            this.topology = topology;
            this.norm = norm;
            this.scaleShift = scaleShift;
            this.filters = filters;
        }

        /** A network of this generation, not zero-initialised, without dropout. */
        public AnnotatedConfig network(
                int height,
                int width,
                int channels,
                int stem,
                int dim,
                List<Integer> dimMults,
                BlockKind block,
                int groups,
                int widen) {
            return new AnnotatedConfig(
                    topology,
                    height,
                    width,
                    channels,
                    stem,
                    dim,
                    dimMults,
                    block,
                    groups,
                    widen,
                    norm,
                    scaleShift,
                    filters,
                    false,
                    0);
        }
    }

    public AnnotatedConfig {
        dimMults = List.copyOf(dimMults);
        if (channels < 1 || dim < 4 || dim % 2 != 0)
            throw new IllegalArgumentException(
                    "a U-Net needs at least 1 channel and an even dim of at least 4, not channels " + channels
                            + ", dim " + dim);
        if (dimMults.isEmpty() || dimMults.stream().anyMatch(m -> m < 1))
            throw new IllegalArgumentException("dim-mults must be positive numbers, not " + dimMults);
        if (stem < 1 || widen < 1) throw new IllegalArgumentException("stem and widen must be at least 1");
        if (topology == Topology.BLOG && stem != dim)
            throw new IllegalArgumentException(
                    "the blog's stem is as wide as its first level, " + dim + ", not " + stem);
        if (block == BlockKind.RESNET)
            for (int mult : dimMults)
                if (dim * mult % groups != 0)
                    throw new IllegalArgumentException("dim " + dim + " times " + mult
                            + " cannot be cut into the " + groups + " groups of the norms: choose a dim divisible by "
                            + groups);
        UNetConfig.checkMults(height, width, dimMults);
    }

    /** The generation of which this is a network, whatever its widths; empty when none was published like this. */
    public Optional<Generation> generation() {
        return Arrays.stream(Generation.values())
                .filter(g -> g.topology == topology
                        && g.scaleShift == scaleShift
                        && g.filters == filters
                        && g.norm == norm
                        && (topology == Topology.NOTEBOOK ? dimMults.get(0) == 1 : block == BlockKind.RESNET))
                .findFirst();
    }

    /** The same, started at zero. */
    public AnnotatedConfig zeroInitialised() {
        return new AnnotatedConfig(
                topology,
                height,
                width,
                channels,
                stem,
                dim,
                dimMults,
                block,
                groups,
                widen,
                norm,
                scaleShift,
                filters,
                true,
                dropout);
    }

    /** Number of resolutions. */
    public int levels() {
        return dimMults.size();
    }

    /** Width of a level. */
    public int widthOf(int level) {
        return dim * dimMults.get(level);
    }

    @Override
    public AnnotatedConfig forImages(int height, int width, int channels) {
        return new AnnotatedConfig(
                topology,
                height,
                width,
                channels,
                stem,
                dim,
                dimMults,
                block,
                groups,
                widen,
                norm,
                scaleShift,
                filters,
                zeroInit,
                dropout);
    }
}
