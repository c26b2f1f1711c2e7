package datasets;

import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.function.Consumer;

/**
 * Finds the data. The first of these that has something wins, and {@link Dataset#description()} says which it was:
 *
 * <ol>
 *   <li>what the user asked for ({@code --data}): a name ({@code fashion}, {@code mnist}, {@code kmnist},
 *       {@code cifar10}), or a path to IDX files, CIFAR-10 batches or pictures;
 *   <li>the same from the environment variable {@code DDPM_DATA};
 *   <li>otherwise Fashion-MNIST.
 * </ol>
 *
 * A name is looked for in the folder of its Debian package (Fashion-MNIST has one), then in the user's cache
 * ({@code $XDG_CACHE_HOME} or {@code ~/.cache}, below {@code ddpm-java/datasets/NAME}), then at its publisher if a download
 * was asked for, and for Fashion-MNIST at last in this jar: the 10,000 test images. Files found under a name must have the
 * published checksum; what a path leads to is taken as it is. A damaged file is an error, never a reason to look further.
 */
public final class Datasets {
    /** The environment variable that stands in for {@code --data}. */
    public static final String ENVIRONMENT = "DDPM_DATA";

    private static final Path DEBIAN = Path.of("/usr/share/datasets/fashion-mnist");
    private static final int MAX_SIDE = 4096;

    private final String environment;
    private final Path debian;
    private final Path cache;
    private final Consumer<String> say;

    /**
     * The places of one machine.
     *
     * @param environment the value of {@link #ENVIRONMENT}, or null
     * @param debian folder of the Debian package
     * @param cache folder that holds one folder per set
     */
    Datasets(String environment, Path debian, Path cache, Consumer<String> say) {
        this.environment = environment;
        this.debian = debian;
        this.cache = cache;
        this.say = say;
    }

    /** {@link #open(String, int, boolean, Consumer)} in its own size, without download. */
    public static Dataset open(String data) {
        return open(data, 0, false, line -> {});
    }

    /**
     * Opens a set.
     *
     * @param data a name or a path; null or blank for the default
     * @param side images become side x side: shorter side scaled, centre cropped. 0 keeps the set's own size, and makes
     *     pictures {@value ImageFolder#DEFAULT_SIDE} x {@value ImageFolder#DEFAULT_SIDE}
     * @param download whether a missing set may be fetched
     * @param say gets a line before every file that is fetched
     * @throws DatasetException if it is not found, or malformed
     */
    public static Dataset open(String data, int side, boolean download, Consumer<String> say) {
        return new Datasets(System.getenv(ENVIRONMENT), DEBIAN, userCache(), say).find(data, side, download);
    }

    private static Path userCache() {
        String xdg = System.getenv("XDG_CACHE_HOME");
        Path root = xdg == null || xdg.isBlank() ? Path.of(System.getProperty("user.home"), ".cache") : Path.of(xdg);
        return root.resolve("ddpm-java").resolve("datasets");
    }

    Dataset find(String data, int side, boolean download) {
        if (side < 0 || side > MAX_SIDE) {
            throw new DatasetException("image size " + side + ": expected 1.." + MAX_SIDE + ", or 0 for the set's own");
        }
        boolean asked = data != null && !data.isBlank();
        boolean fromEnvironment = !asked && environment != null && !environment.isBlank();
        String wanted = asked ? data : fromEnvironment ? environment : KnownSet.FASHION.key();
        Optional<KnownSet> known = KnownSet.named(wanted.strip());
        Dataset found = known.isPresent() ? find(known.get(), download) : at(wanted, side);
        Dataset sized = side > 0 && found instanceof InMemoryDataset set ? set.resized(side) : found;
        return fromEnvironment && sized instanceof InMemoryDataset set
                ? set.describedAs(set.description() + " ($" + ENVIRONMENT + ")")
                : sized;
    }

    /** A known set, from the nearest place that has it whole. */
    InMemoryDataset find(KnownSet set, boolean download) {
        List<Path> places = new ArrayList<>();
        if (set == KnownSet.FASHION) {
            places.add(debian);
        }
        Path own = cache.resolve(set.key());
        places.add(own);
        for (Path place : places) {
            if (set.train().stream().allMatch(file -> Files.isRegularFile(place.resolve(file.name())))) {
                return load(set, place);
            }
        }
        if (download) {
            Downloader downloader = new Downloader(say);
            set.train().stream()
                    .filter(file -> !Files.isRegularFile(own.resolve(file.name())))
                    .forEach(file -> downloader.fetch(
                            set.home().resolve(file.name()), own.resolve(file.name()), file.checksum()));
            return load(set, own);
        }
        if (set == KnownSet.FASHION) {
            return bundled();
        }
        throw new DatasetException(set.title() + " is not on this machine (looked in " + own
                + "): add --download to fetch " + set.megabytes() + " MB from " + set.home()
                + ", or give the folder of its files with --data FOLDER");
    }

    private static InMemoryDataset load(KnownSet set, Path place) {
        List<Payload> files = set.train().stream()
                .map(file -> Payload.of(place.resolve(file.name()), file.checksum()))
                .toList();
        return files.size() == 1
                ? Cifar10Binary.read(files.get(0))
                : Idx.read(set.key(), files.get(0), files.get(1), set);
    }

    /** The official 10,000 test images of Fashion-MNIST, with labels; always at hand. */
    public static Dataset fashionTest() {
        return bundled();
    }

    /** Whether a set of this digest is images of Fashion-MNIST, for training or for testing, whatever it is called. */
    public static boolean isFashion(String sha256) {
        return KnownSet.withImages(sha256).filter(KnownSet.FASHION::equals).isPresent();
    }

    /** The official 10,000 test images of Fashion-MNIST, from this jar. */
    static InMemoryDataset bundled() {
        List<Payload> files = KnownSet.FASHION.test().stream()
                .map(file -> Payload.bundled(file.name(), file.checksum()))
                .toList();
        InMemoryDataset set = Idx.read(KnownSet.FASHION.key(), files.get(0), files.get(1), KnownSet.FASHION);
        return set.describedAs(set.description()
                + " (test set; all 60,000 training images: apt install dataset-fashion-mnist, or --download)");
    }

    private static Dataset at(String data, int side) {
        Path path;
        try {
            path = Path.of(data);
        } catch (InvalidPathException e) {
            throw unknown(data, e);
        }
        if (Files.isDirectory(path)) {
            if (Idx.imagesIn(path).isPresent()) {
                return Idx.load(path);
            }
            if (Cifar10Binary.isIn(path)) {
                return Cifar10Binary.load(path);
            }
            int pixels = side > 0 ? side : ImageFolder.DEFAULT_SIDE;
            return ImageFolder.load(path, pixels, pixels);
        }
        if (!Files.isRegularFile(path)) {
            throw unknown(data, null);
        }
        return data.matches("(?i).*\\.(tar|tar\\.gz|tgz|bin)") ? Cifar10Binary.load(path) : Idx.load(path);
    }

    private static DatasetException unknown(String data, Throwable cause) {
        String names =
                String.join(", ", KnownSet.ALL.stream().map(KnownSet::key).toList());
        return new DatasetException(
                "data \"" + data + "\": neither a set this program knows (" + names
                        + ") nor an existing file or folder",
                cause);
    }
}
