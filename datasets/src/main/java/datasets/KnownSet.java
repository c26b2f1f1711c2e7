package datasets;

import java.net.URI;
import java.util.List;
import java.util.Locale;
import java.util.Optional;

/**
 * A published data set: where it lives, what its files are called and hash to.
 *
 * @param key the name in {@code --data}
 * @param home the address its files are fetched from
 * @param train the training files: images and labels, or one archive
 * @param test the test files, same order; empty if they are not used
 * @param megabytes size of the download
 * @param classes their number; a label is below it
 */
record KnownSet(String key, String title, URI home, List<File> train, List<File> test, int megabytes, int classes) {

    /** One published file and the checksum it must have. */
    record File(String name, Checksum checksum) {}

    /** Xiao, Rasul and Vollgraf 2017; MIT licence. Its server speaks plain http: the checksum is the only integrity there is. */
    static final KnownSet FASHION = new KnownSet(
            "fashion",
            "Fashion-MNIST",
            URI.create("http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/"),
            idx(
                    "train",
                    Checksum.ofPayload("c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888"),
                    Checksum.ofPayload("bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9")),
            idx(
                    "t10k",
                    Checksum.ofPayload("5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b"),
                    Checksum.ofPayload("0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34")),
            26,
            10);

    /** LeCun, Cortes and Burges 1998. */
    static final KnownSet MNIST = new KnownSet(
            "mnist",
            "MNIST",
            URI.create("https://ossci-datasets.s3.amazonaws.com/mnist/"),
            idx(
                    "train",
                    Checksum.ofPayload("ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db"),
                    Checksum.ofPayload("65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5")),
            idx(
                    "t10k",
                    Checksum.ofPayload("0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7"),
                    Checksum.ofPayload("ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2")),
            10,
            10);

    /** Clanuwat et al. 2018: cursive Japanese characters. */
    static final KnownSet KMNIST = new KnownSet(
            "kmnist",
            "KMNIST",
            URI.create("http://codh.rois.ac.jp/kmnist/dataset/kmnist/"),
            idx(
                    "train",
                    Checksum.ofFile("bdb82020997e1d708af4cf47b453dcf7"),
                    Checksum.ofFile("e144d726b3acfaa3e44228e80efcd344")),
            idx(
                    "t10k",
                    Checksum.ofFile("5c965bf0a639b31b8f53240b1b52f4d7"),
                    Checksum.ofFile("7320c461ea6c1c855c0b718fb2a4b134")),
            18,
            10);

    /** Krizhevsky 2009, in its binary form. */
    static final KnownSet CIFAR10 = new KnownSet(
            "cifar10",
            "CIFAR-10",
            URI.create("https://www.cs.toronto.edu/~kriz/"),
            List.of(new File("cifar-10-binary.tar.gz", Checksum.ofFile("c32a1d4ab5d03f1284b67883e8d87530"))),
            List.of(),
            170,
            10);

    static final List<KnownSet> ALL = List.of(FASHION, MNIST, KMNIST, CIFAR10);

    private static List<File> idx(String split, Checksum images, Checksum labels) {
        return List.of(
                new File(split + "-images-idx3-ubyte.gz", images), new File(split + "-labels-idx1-ubyte.gz", labels));
    }

    /** The set a user means by {@code name}; {@code fashion-mnist} and {@code cifar-10} are understood too. */
    static Optional<KnownSet> named(String name) {
        String wanted = name.toLowerCase(Locale.ROOT);
        return ALL.stream()
                .filter(set -> wanted.equals(set.key) || wanted.equals(set.title.toLowerCase(Locale.ROOT)))
                .findFirst();
    }

    /**
     * The set whose training or test images have this payload: Fashion-MNIST or MNIST. Of the others only the compressed
     * files' checksums are known, so they go by their names alone.
     */
    static Optional<KnownSet> withImages(String sha256) {
        Checksum images = Checksum.ofPayload(sha256);
        return ALL.stream()
                .filter(set -> set.train.get(0).checksum().equals(images)
                        || (!set.test.isEmpty() && set.test.get(0).checksum().equals(images)))
                .findFirst();
    }
}
