package ddpm.unet;

import java.util.List;

/**
 * The shape of a {@link UNet2D}, with the options of diffusers' {@code UNet2DModel} under almost its names.
 *
 * @param height image height, divisible by 2^(levels−1)
 * @param width image width, likewise
 * @param channels image channels
 * @param outChannels channels of the prediction: those of the image, or twice as many with learned variances
 * @param centerInput whether images come in [0, 1] and are brought to [−1, 1] first
 * @param time how t becomes numbers
 * @param timeWidth width of the time embedding
 * @param freqShift subtracted from the number of frequencies in their exponent ({@link Time#POSITIONAL})
 * @param cosinesFirst order of the sinusoids ({@link Time#POSITIONAL})
 * @param trainTimesteps T ({@link Time#LEARNED}), else 0
 * @param down kind of each level on the way down, from full resolution
 * @param middle whether there are blocks between the two ways
 * @param up kind of each level on the way up, from the smallest resolution
 * @param widths channels of each level
 * @param layersPerBlock blocks of a level on the way down; one more on the way up
 * @param middleScale what the sums in the middle are divided by
 * @param downsamplePadding 1: the stride-2 convolution pads all round; 0: right and below only
 * @param resnetDown whether attention levels shrink by a residual block instead of a convolution
 * @param resnetUp whether attention levels grow by a residual block instead of a convolution
 * @param dropout probability of dropping a feature while training
 * @param activation nonlinearity of the blocks
 * @param headWidth channels of an attention head; 0: all of the level's
 * @param groups groups of the norms
 * @param middleGroups groups of the norm before the attention in the middle; 0: none
 * @param eps inside the norms
 * @param scaleShift {@code true}: time scales and shifts the normalised features; {@code false}: it is added to them
 * @param middleAttention whether there is attention in the middle
 * @param zeroInit whether the last layer of each residual branch, and of the network, starts at zero
 */
public record UNet2DConfig(
        int height,
        int width,
        int channels,
        int outChannels,
        boolean centerInput,
        Time time,
        int timeWidth,
        int freqShift,
        boolean cosinesFirst,
        int trainTimesteps,
        List<LevelKind> down,
        boolean middle,
        List<LevelKind> up,
        List<Integer> widths,
        int layersPerBlock,
        double middleScale,
        int downsamplePadding,
        boolean resnetDown,
        boolean resnetUp,
        double dropout,
        Activation activation,
        int headWidth,
        int groups,
        int middleGroups,
        double eps,
        boolean scaleShift,
        boolean middleAttention,
        boolean zeroInit)
        implements UNetConfig {

    /** How t becomes numbers. */
    public enum Time {
        /** Sinusoids. */
        POSITIONAL,
        /** Random Fourier features of ln t; the prediction is divided by t. For networks that are told a noise level. */
        FOURIER,
        /** A learned row for each timestep. */
        LEARNED
    }

    /** What a level is made of. */
    public enum LevelKind {
        /** Residual blocks; a convolution shrinks or grows. */
        PLAIN,
        /** Residual blocks, each with attention after it. */
        ATTENTION,
        /** Residual blocks; one more of them shrinks or grows. */
        RESNET
    }

    public UNet2DConfig {
        down = List.copyOf(down);
        up = List.copyOf(up);
        widths = List.copyOf(widths);
        int levels = widths.size();
        if (levels == 0 || down.size() != levels || up.size() != levels)
            throw new IllegalArgumentException("a U-Net needs as many blocks down and up as widths, not " + down.size()
                    + ", " + up.size() + " and " + levels);
        if (channels < 1 || outChannels < 1 || layersPerBlock < 1 || timeWidth < 1 || widths.get(0) < 4)
            throw new IllegalArgumentException("a U-Net needs at least 1 channel, 1 block a level and 4 features");
        for (int w : widths)
            if (w < 1 || w % 2 != 0 || w % groups != 0)
                throw new IllegalArgumentException("a level of " + w + " features must be even and divisible by the "
                        + groups + " groups of the norms");
        if (headWidth > 0 && widths.stream().anyMatch(w -> w < headWidth))
            throw new IllegalArgumentException("heads of " + headWidth + " do not fit into the widths " + widths);
        if (middleGroups > 0 && widths.get(levels - 1) % middleGroups != 0)
            throw new IllegalArgumentException("the middle's " + widths.get(levels - 1)
                    + " features cannot be cut into " + middleGroups + " groups");
        if (downsamplePadding < 0 || downsamplePadding > 1)
            throw new IllegalArgumentException("downsample padding is 0 or 1, not " + downsamplePadding);
        if (time == Time.LEARNED && trainTimesteps < 1)
            throw new IllegalArgumentException("a learned time embedding needs the number of timesteps");
        if (time == Time.POSITIONAL && widths.get(0) / 2 <= freqShift)
            throw new IllegalArgumentException("the first level has too few features for its sinusoids");
        UNetConfig.checkSide("height", height, levels);
        UNetConfig.checkSide("width", width, levels);
    }

    /**
     * The arrangement of Ho et al. 2020: sinusoids first sine then cosine, one head, zeros right and below of the
     * stride-2 convolutions.
     *
     * @param attentionLevels levels (0 is full resolution) with attention after each block
     */
    public static UNet2DConfig ddpm(
            int height,
            int width,
            int channels,
            List<Integer> widths,
            int layersPerBlock,
            List<Integer> attentionLevels,
            int groups,
            double dropout,
            boolean zeroInit) {
        int levels = widths.size();
        LevelKind[] down = new LevelKind[levels];
        LevelKind[] up = new LevelKind[levels];
        for (int level : attentionLevels)
            if (level < 0 || level >= levels)
                throw new IllegalArgumentException(
                        "attention level " + level + " is not among the " + levels + " levels 0.." + (levels - 1));
        for (int i = 0; i < levels; i++)
            down[i] = up[levels - 1 - i] = attentionLevels.contains(i) ? LevelKind.ATTENTION : LevelKind.PLAIN;
        return new UNet2DConfig(
                height,
                width,
                channels,
                channels,
                false,
                Time.POSITIONAL,
                4 * widths.get(0),
                1,
                false,
                0,
                List.of(down),
                true,
                List.of(up),
                widths,
                layersPerBlock,
                1,
                0,
                false,
                false,
                dropout,
                Activation.SILU,
                0,
                groups,
                groups,
                1e-6,
                false,
                true,
                zeroInit);
    }

    /** Number of resolutions. */
    public int levels() {
        return widths.size();
    }

    @Override
    public UNet2DConfig forImages(int height, int width, int channels) {
        return new UNet2DConfig(
                height,
                width,
                channels,
                channels * (outChannels / this.channels),
                centerInput,
                time,
                timeWidth,
                freqShift,
                cosinesFirst,
                trainTimesteps,
                down,
                middle,
                up,
                widths,
                layersPerBlock,
                middleScale,
                downsamplePadding,
                resnetDown,
                resnetUp,
                dropout,
                activation,
                headWidth,
                groups,
                middleGroups,
                eps,
                scaleShift,
                middleAttention,
                zeroInit);
    }
}
