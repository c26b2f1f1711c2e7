package datasets;

import static datasets.Fixtures.gzip;
import static datasets.Fixtures.idxImages;
import static datasets.Fixtures.idxLabels;
import static datasets.Fixtures.refuses;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.sun.net.httpserver.HttpServer;
import java.awt.image.BufferedImage;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import javax.imageio.ImageIO;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class DatasetsTest {
    private static final String TRAIN_IMAGES = "train-images-idx3-ubyte.gz";
    private static final String TRAIN_LABELS = "train-labels-idx1-ubyte.gz";

    @TempDir
    Path root;

    private Path debian;
    private Path cache;
    private Path own;
    private final byte[] images = idxImages(3, 28, 28);
    private final byte[] labels = idxLabels(0, 1, 2);
    private final List<String> said = new ArrayList<>();

    @BeforeEach
    void anEmptyMachine() throws IOException {
        debian = root.resolve("debian");
        cache = root.resolve("cache");
        own = Files.createDirectories(root.resolve("own"));
    }

    private Datasets machine(String environment) {
        return new Datasets(environment, debian, cache, said::add);
    }

    private void install(Path folder, byte[] imageFile, byte[] labelFile) throws IOException {
        Files.createDirectories(folder);
        Files.write(folder.resolve(TRAIN_IMAGES), imageFile);
        Files.write(folder.resolve(TRAIN_LABELS), labelFile);
    }

    private KnownSet tiny(URI home) {
        Checksum image =
                Checksum.ofPayload(Checksum.hex(Checksum.digest("SHA-256").digest(images)));
        Checksum label =
                Checksum.ofPayload(Checksum.hex(Checksum.digest("SHA-256").digest(labels)));
        return new KnownSet(
                "tiny",
                "Tiny",
                home,
                List.of(new KnownSet.File(TRAIN_IMAGES, image), new KnownSet.File(TRAIN_LABELS, label)),
                List.of(),
                1,
                3);
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "  ", "fashion", "Fashion-MNIST"})
    void onAnEmptyMachineFashionIsTheBundledSet(String data) {
        Dataset set = machine(null).find(data, 0, false);
        assertEquals(10_000, set.size());
        assertTrue(set.description().contains("bundled"), set.description());
    }

    @Test
    void theArgumentComesBeforeTheEnvironmentAndThatBeforeEverything() throws IOException {
        install(own, gzip(images), gzip(labels));
        Path other = Files.createDirectories(root.resolve("other"));
        install(other, gzip(idxImages(4, 28, 28)), gzip(idxLabels(0, 0, 0, 0)));
        assertEquals(4, machine(own.toString()).find(other.toString(), 0, false).size());
        Dataset set = machine(own.toString()).find(null, 0, false);
        assertEquals(3, set.size());
        assertTrue(set.description().endsWith("($DDPM_DATA)"), set.description());
        assertEquals("own", set.name());
    }

    @Test
    void theDebianFolderComesBeforeTheCacheAndThatBeforeTheJar() throws IOException {
        install(cache.resolve("fashion"), gzip(images), gzip(labels));
        refuses(() -> machine(null).find(null, 0, false), cache.toString(), "SHA-256");
        install(debian, gzip(images), gzip(labels));
        refuses(() -> machine(null).find(null, 0, false), debian.toString(), "SHA-256");
    }

    @Test
    void halfASetIsNoSet() throws IOException {
        install(debian, gzip(images), gzip(labels));
        Files.delete(debian.resolve(TRAIN_LABELS));
        assertEquals(10_000, machine(null).find(null, 0, false).size());
    }

    @ParameterizedTest
    @ValueSource(strings = {"mnist", "KMNIST", "cifar10", "CIFAR-10"})
    void anAbsentSetSaysHowToGetIt(String name) {
        refuses(
                () -> machine(null).find(name, 0, false),
                "not on this machine",
                "--download",
                "MB from http",
                "--data");
    }

    @Test
    void whatIsNeitherNameNorPathSaysSo() {
        refuses(
                () -> machine(null).find("fasion", 0, false),
                "fasion",
                "fashion, mnist, kmnist, cifar10",
                "file or folder");
        refuses(() -> machine(null).find("a\0b", 0, false), "neither a set");
        refuses(() -> machine(null).find("fashion", -1, false), "image size -1");
    }

    @Test
    void theContentOfAFolderDecidesWhatItIs() throws IOException {
        install(own, gzip(images), gzip(labels));
        assertEquals(2, machine(null).find(own.toString(), 0, false).label(2));
        assertEquals(
                3,
                machine(null)
                        .find(own.resolve(TRAIN_IMAGES).toString(), 0, false)
                        .size());

        Path cifar = Files.createDirectories(root.resolve("c"));
        Files.write(cifar.resolve("data_batch_1.bin"), Fixtures.cifarBatch(2, 1));
        assertEquals("cifar10", machine(null).find(cifar.toString(), 0, false).name());
        Path tar = root.resolve("x.tar");
        Files.write(tar, Fixtures.tar(Fixtures.tarFile("data_batch_1.bin", Fixtures.cifarBatch(2, 1))));
        assertEquals(2, machine(null).find(tar.toString(), 0, false).size());

        Path pictures = Files.createDirectories(root.resolve("p"));
        BufferedImage image = new BufferedImage(50, 40, BufferedImage.TYPE_INT_RGB);
        ImageIO.write(image, "png", pictures.resolve("a.png").toFile());
        assertEquals(32 * 32, machine(null).find(pictures.toString(), 0, false).values());
        assertEquals(16 * 16, machine(null).find(pictures.toString(), 16, false).values());

        Path empty = Files.createDirectories(root.resolve("e"));
        refuses(() -> machine(null).find(empty.toString(), 0, false), empty.toString(), "no pictures");
    }

    @Test
    void anImageSizeResizesAnySet() {
        Dataset set = machine(null).find("fashion", 16, false);
        assertEquals(16, set.height());
        assertEquals(16, set.width());
        assertEquals(Datasets.bundled().sha256(), set.sha256());
        assertTrue(set.description().contains("resized to 16x16"), set.description());
    }

    @Test
    void aDownloadFillsTheCacheOnceAndOnlyWhenAsked() throws IOException {
        HttpServer server = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
        List<String> requests = new ArrayList<>();
        server.createContext("/", http -> {
            String file = http.getRequestURI().getPath();
            requests.add(file);
            byte[] body = gzip(file.contains("images") ? images : labels);
            http.sendResponseHeaders(200, body.length);
            http.getResponseBody().write(body);
            http.close();
        });
        server.start();
        try {
            KnownSet tiny =
                    tiny(URI.create("http://127.0.0.1:" + server.getAddress().getPort() + "/d/"));
            refuses(() -> machine(null).find(tiny, false), "Tiny is not on this machine");
            assertEquals(List.of(), requests);
            assertFalse(Files.exists(cache));

            Dataset fetched = machine(null).find(tiny, true);
            assertEquals(List.of("/d/" + TRAIN_IMAGES, "/d/" + TRAIN_LABELS), requests);
            assertEquals(2, said.size());
            assertEquals(2, fetched.label(2));

            Dataset cached = machine(null).find(tiny, true);
            assertEquals(2, requests.size(), "the cache answers");
            assertArrayEquals(fetched.pixels(2), cached.pixels(2));

            Files.delete(cache.resolve("tiny").resolve(TRAIN_LABELS));
            assertEquals(3, machine(null).find(tiny, true).size());
            assertEquals(3, requests.size(), "only what is missing is fetched");
        } finally {
            server.stop(0);
        }
    }
}
