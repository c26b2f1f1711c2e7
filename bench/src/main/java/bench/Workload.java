package bench;

import datasets.Dataset;
import ddpm.train.Settings;
import ddpm.train.Training;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Random;
import tensor.Shape;
import tensor.backend.Backend;

/**
 * The training of a preset on random images of the size it was made for, of ten classes in turn: the work does not depend on
 * what they show.
 */
public final class Workload {
    private static final int IMAGES = 1024;
    private static final int CLASSES = 10;

    private Workload() {}

    /**
     * The settings of a workload.
     *
     * @param what a preset, and behind it settings that are different, as {@code ddpm.Train --help} names them: {@code
     *     annotated-resnet,dim=64,image-size=32}
     * @param batch images in a step; 0 keeps the preset's
     */
    public static Settings settings(String what, int batch) {
        String[] words = what.split(",");
        Map<String, String> options = new LinkedHashMap<>();
        options.put("preset", words[0]);
        for (int i = 1; i < words.length; i++) {
            String[] setting = words[i].split("=", 2);
            options.put(setting[0], setting[1]);
        }
        if (batch > 0) options.put("batch-size", Integer.toString(batch));
        return Settings.of(Map.of(), options);
    }

    /** [1,H,W,C]. */
    public static Shape image(Settings settings) {
        boolean colour = settings.data().equals("cifar10");
        int side = settings.imageSize() > 0 ? settings.imageSize() : colour ? 32 : 28;
        return Shape.of(1, side, side, colour ? 3 : 1);
    }

    /** A fresh training. */
    public static Training training(Settings settings, Backend backend) {
        Shape image = image(settings);
        byte[] pixels = new byte[IMAGES * image.size()];
        new Random(1).nextBytes(pixels);
        int[] labels = new int[IMAGES];
        for (int i = 0; i < IMAGES; i++) labels[i] = i % CLASSES;
        Dataset data = Dataset.of("random", image.get(1), image.get(2), image.get(3), pixels, labels);
        return new Training(settings, data, backend);
    }
}
