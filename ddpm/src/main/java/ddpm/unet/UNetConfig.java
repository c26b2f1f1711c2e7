package ddpm.unet;

import java.util.List;

/** The shape of a U-Net; everything that must be known to rebuild it around saved weights. */
public sealed interface UNetConfig permits AnnotatedConfig, UNet2DConfig, LucidrainsConfig {
    /** Image height. */
    int height();

    /** Image width. */
    int width();

    /** Image channels. */
    int channels();

    /** Channels of the prediction; more than those of the image when variances are learned too. */
    default int outChannels() {
        return channels();
    }

    /** This shape for other images. */
    UNetConfig forImages(int height, int width, int channels);

    /** The notebook's network: about 3.0 M parameters for one channel. */
    static AnnotatedConfig notebook(int height, int width, int channels) {
        return AnnotatedConfig.Generation.NOTEBOOK.network(
                height, width, channels, 18, 28, List.of(1, 2, 4), AnnotatedConfig.BlockKind.CONVNEXT, 4, 2);
    }

    /** The blog's later network: 2,020,257 parameters for one channel. */
    static AnnotatedConfig blog(int height, int width, int channels) {
        return AnnotatedConfig.Generation.BLOG.network(
                height, width, channels, 28, 28, List.of(1, 2, 4), AnnotatedConfig.BlockKind.RESNET, 4, 2);
    }

    /** The CIFAR-10 network of Ho et al. 2020: 35,746,307 parameters for three channels at 32x32. */
    static UNet2DConfig ddpmCifar10(int height, int width, int channels) {
        return UNet2DConfig.ddpm(height, width, channels, List.of(128, 256, 256, 256), 2, List.of(1), 32, 0.1, true);
    }

    /** Refuses images that cannot be halved once between every two levels, naming the nearest sides that can. */
    static void checkMults(int height, int width, List<Integer> dimMults) {
        checkSide("dim-mults " + dimMults, "height", height, dimMults.size());
        checkSide("dim-mults " + dimMults, "width", width, dimMults.size());
    }

    /** The same for one side. */
    static void checkSide(String side, int length, int levels) {
        checkSide(levels + " levels", side, length, levels);
    }

    private static void checkSide(String what, String side, int length, int levels) {
        int divisor = 1 << (levels - 1);
        if (length < divisor || length % divisor != 0) {
            int below = length / divisor * divisor;
            throw new IllegalArgumentException(what + " halve the image " + (levels - 1) + " times, so its " + side
                    + " " + length + " must be divisible by " + divisor + ": use "
                    + (below > 0 ? below + " or " : "") + (below + divisor));
        }
    }
}
