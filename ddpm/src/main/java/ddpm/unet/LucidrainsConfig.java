package ddpm.unet;

import java.util.List;

/**
 * The shape of a {@link LucidrainsUNet}, with the arguments of the class {@code Unet} of lucidrains'
 * denoising-diffusion-pytorch.
 *
 * @param height image height, divisible by 2^(levels−1)
 * @param width image width, likewise
 * @param channels image channels
 * @param outChannels channels of the prediction: those of the image, or twice as many with learned variances
 * @param stem width of the first convolution
 * @param dim unit of the other widths
 * @param dimMults width of each level as a multiple of {@code dim}
 * @param time how t becomes numbers
 * @param learnedWidth width of the random or learned features, even
 * @param theta largest period of the sinusoids
 * @param dropout probability of dropping a feature while training
 * @param heads attention heads of each level; the middle has those of the last
 * @param headWidth channels of an attention head at each level, likewise
 * @param fullAttention for each level whether its attention is softmax's and not linear
 * @param zeroInit whether residual branches, and the network, start at zero
 */
public record LucidrainsConfig(
        int height,
        int width,
        int channels,
        int outChannels,
        int stem,
        int dim,
        List<Integer> dimMults,
        Time time,
        int learnedWidth,
        double theta,
        double dropout,
        List<Integer> heads,
        List<Integer> headWidth,
        List<Boolean> fullAttention,
        boolean zeroInit)
        implements UNetConfig {

    /** How t becomes numbers. */
    public enum Time {
        /** Sinusoids. */
        SINUSOIDAL,
        /** t, sines and cosines with learned frequencies. */
        LEARNED,
        /** t, sines and cosines with frequencies that stay as they were drawn. */
        RANDOM
    }

    public LucidrainsConfig {
        dimMults = List.copyOf(dimMults);
        heads = List.copyOf(heads);
        headWidth = List.copyOf(headWidth);
        fullAttention = List.copyOf(fullAttention);
        int levels = dimMults.size();
        if (channels < 1 || outChannels < 1 || stem < 1 || dim < 4 || dim % 2 != 0)
            throw new IllegalArgumentException(
                    "a U-Net needs at least 1 channel and an even dim of at least 4, not channels " + channels
                            + ", dim " + dim);
        if (dimMults.isEmpty() || dimMults.stream().anyMatch(m -> m < 1))
            throw new IllegalArgumentException("dim-mults must be positive numbers, not " + dimMults);
        if (heads.size() != levels || headWidth.size() != levels || fullAttention.size() != levels)
            throw new IllegalArgumentException("attention is to be described for each of the " + levels + " levels");
        if (learnedWidth < 2 || learnedWidth % 2 != 0)
            throw new IllegalArgumentException("learned time features need an even width, not " + learnedWidth);
        UNetConfig.checkMults(height, width, dimMults);
    }

    /** The class's defaults: linear attention but for the last level, 4 heads of 32. */
    public static LucidrainsConfig of(
            int height, int width, int channels, int dim, List<Integer> dimMults, double dropout, boolean zeroInit) {
        int levels = dimMults.size();
        Boolean[] full = new Boolean[levels];
        for (int i = 0; i < levels; i++) full[i] = i == levels - 1;
        return new LucidrainsConfig(
                height,
                width,
                channels,
                channels,
                dim,
                dim,
                dimMults,
                Time.SINUSOIDAL,
                16,
                10000,
                dropout,
                java.util.Collections.nCopies(levels, 4),
                java.util.Collections.nCopies(levels, 32),
                List.of(full),
                zeroInit);
    }

    /** Number of resolutions. */
    public int levels() {
        return dimMults.size();
    }

    /** Width of a level's output; of the stem for −1. */
    public int widthOf(int level) {
        return level < 0 ? stem : dim * dimMults.get(level);
    }

    @Override
    public LucidrainsConfig forImages(int height, int width, int channels) {
        return new LucidrainsConfig(
                height,
                width,
                channels,
                channels * (outChannels / this.channels),
                stem,
                dim,
                dimMults,
                time,
                learnedWidth,
                theta,
                dropout,
                heads,
                headWidth,
                fullAttention,
                zeroInit);
    }
}
