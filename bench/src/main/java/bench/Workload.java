package bench;

import datasets.Dataset;
import ddpm.train.Settings;
import ddpm.train.Training;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Random;
import tensor.Shape;
import tensor.backend.Backend;

/** The training of a preset on random images of the size it was made for: the work does not depend on what they show. */
public final class Workload {
    private static final int IMAGES = 1024;

    private Workload() {}

    /** The settings of a preset; {@code batch} 0 keeps its own. */
    public static Settings settings(String preset, int batch) {
        Map<String, String> options = new LinkedHashMap<>();
        options.put("preset", preset);
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
        Dataset data = Dataset.of("random", image.get(1), image.get(2), image.get(3), pixels, null);
        return new Training(settings, data, backend);
    }
}
