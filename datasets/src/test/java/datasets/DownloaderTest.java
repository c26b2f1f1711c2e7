package datasets;

import static datasets.Fixtures.refuses;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.URI;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class DownloaderTest {
    @TempDir
    Path folder;

    private final byte[] payload = Fixtures.idxImages(50, 28, 28);
    private final byte[] file = Fixtures.gzip(payload);
    private final Checksum right =
            Checksum.ofPayload(Checksum.hex(Checksum.digest("SHA-256").digest(payload)));
    private final List<String> said = new ArrayList<>();
    private final List<String> ranges = new ArrayList<>();
    private HttpServer server;
    private URI address;
    private Path target;
    private Path part;

    @BeforeEach
    void aServerOnThisMachine() throws IOException {
        server = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
        server.createContext("/file.gz", http -> {
            ranges.add(String.valueOf(http.getRequestHeaders().getFirst("Range")));
            serve(http, file.length);
        });
        server.createContext("/stubborn", http -> {
            http.sendResponseHeaders(200, file.length);
            http.getResponseBody().write(file);
            http.close();
        });
        server.createContext(
                "/portal",
                http -> { // a login page, where the network wants one first
                    byte[] page = "<html>log in</html>".getBytes(StandardCharsets.UTF_8);
                    http.sendResponseHeaders(200, page.length);
                    http.getResponseBody().write(page);
                    http.close();
                });
        server.createContext("/breaking", http -> {
            ranges.add(String.valueOf(http.getRequestHeaders().getFirst("Range")));
            serve(http, 10_000);
        });
        server.start();
        address = URI.create("http://127.0.0.1:" + server.getAddress().getPort() + "/");
        target = folder.resolve("cache").resolve("file.gz");
        part = target.resolveSibling("file.gz.part");
    }

    @AfterEach
    void stop() {
        server.stop(0);
    }

    /** Answers ranges as a file server does, but sends no more than {@code most} bytes of what it promised. */
    private void serve(HttpExchange http, int most) throws IOException {
        String range = http.getRequestHeaders().getFirst("Range");
        int from = range == null ? 0 : Integer.parseInt(range.substring("bytes=".length(), range.length() - 1));
        if (from >= file.length) {
            http.sendResponseHeaders(416, -1);
            http.close();
            return;
        }
        if (range != null) {
            http.getResponseHeaders()
                    .set("Content-Range", "bytes " + from + "-" + (file.length - 1) + "/" + file.length);
        }
        http.sendResponseHeaders(range == null ? 200 : 206, file.length - from);
        http.getResponseBody().write(file, from, Math.min(most, file.length - from));
        http.close();
    }

    private void fetch(String path, Checksum expected) {
        new Downloader(said::add).fetch(address.resolve(path), target, expected);
    }

    private void assertArrived() throws IOException {
        assertArrayEquals(file, Files.readAllBytes(target));
        assertFalse(Files.exists(part));
    }

    @Test
    void theFileArrivesWholeUnderItsName() throws IOException {
        fetch("file.gz", right);
        assertArrived();
        assertEquals(List.of("downloading " + address + "file.gz"), said);
        assertEquals(List.of("null"), ranges);
    }

    @Test
    void whatIsThereIsNotFetchedAgain() throws IOException {
        Files.createDirectories(target.getParent());
        Files.write(part, Arrays.copyOf(file, 12_345));
        fetch("file.gz", right);
        assertArrived();
        assertEquals(List.of("bytes=12345-"), ranges);
        assertTrue(said.get(0).endsWith("from byte 12,345"), said.get(0));
    }

    @Test
    void aCompletePartNeedsOnlyItsChecksum() throws IOException {
        Files.createDirectories(target.getParent());
        Files.write(part, file);
        fetch("file.gz", right);
        assertArrived();
    }

    @Test
    void aServerWithoutRangesStartsOver() throws IOException {
        Files.createDirectories(target.getParent());
        Files.write(part, new byte[777]);
        fetch("stubborn", right);
        assertArrived();
    }

    @Test
    void aBreakingConnectionIsTakenUpAsLongAsItBringsSomething() throws IOException {
        fetch("breaking", right);
        assertArrived();
        assertEquals("null", ranges.get(0));
        assertTrue(ranges.get(1).matches("bytes=[1-9]\\d*-"), ranges.toString());
    }

    @Test
    void aWrongChecksumLeavesNothingBehind() {
        refuses(
                () -> fetch("file.gz", Checksum.ofPayload("00")),
                address + "file.gz",
                "SHA-256",
                "expected 00",
                "found " + right.hex());
        assertFalse(Files.exists(target));
        assertFalse(Files.exists(part));
        refuses(() -> fetch("file.gz", Checksum.ofFile("11")), "MD5 of the file", "expected 11");
    }

    /** The checksum is that of the compressed file, and what arrived is not compressed: it is the wrong file all the same. */
    @Test
    void aPageInPlaceOfTheFileIsRefusedByEitherChecksum() {
        for (Checksum published : List.of(right, Checksum.ofFile("11"))) {
            refuses(
                    () -> fetch("portal", published),
                    address + "portal",
                    published.algorithm(),
                    "expected " + published.hex());
            assertFalse(Files.exists(target));
            assertFalse(Files.exists(part));
        }
    }

    @Test
    void aRottenPartHealsWithTheSecondDownload() throws IOException {
        Files.createDirectories(target.getParent());
        Files.write(part, new byte[1000]);
        refuses(() -> fetch("file.gz", right), "uncompressed data");
        fetch("file.gz", right);
        assertArrived();
    }

    @Test
    void absentFilesAndServersAreSentences() {
        refuses(() -> fetch("absent", right), address + "absent", "HTTP status 404");
        assertFalse(Files.exists(target));
        assertFalse(Files.exists(part));
        server.stop(0);
        refuses(() -> fetch("file.gz", right), address + "file.gz", "download to " + target + " failed");
    }

    @Test
    void twoDownloadsDoNotShareAFolder() throws IOException {
        Files.createDirectories(target.getParent());
        try (FileChannel other =
                FileChannel.open(target.resolveSibling(".lock"), StandardOpenOption.CREATE, StandardOpenOption.WRITE)) {
            other.lock();
            refuses(() -> fetch("file.gz", right), "another process is downloading");
        }
        fetch("file.gz", right);
        assertArrived();
    }
}
