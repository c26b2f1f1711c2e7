package ddpm.train;

import datasets.Dataset;
import datasets.DatasetException;

/** The classes of a data set, for networks that are told them. */
public final class Labels {
    /** More classes than any data has; a file that speaks of more is damaged. */
    public static final int MOST = 1 << 20;

    private Labels() {}

    /**
     * Number of classes: the largest label plus 1.
     *
     * @throws DatasetException when some image has none
     */
    public static int count(Dataset data) {
        int most = -1;
        for (int i = 0; i < data.size(); i++) {
            int label = data.label(i);
            if (label < 0)
                throw new DatasetException(data.name() + ": image " + i
                        + " has no label: --labels needs data with a class for each image, such as fashion or cifar10;"
                        + " --labels=false trains without");
            most = Math.max(most, label);
        }
        return most + 1;
    }
}
