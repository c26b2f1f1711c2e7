package datasets;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.io.InputStream;
import java.security.DigestInputStream;
import java.security.MessageDigest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class BundledTest {
    @ParameterizedTest
    @CsvSource({
        "t10k-images-idx3-ubyte.gz, MD5,     bef4ecab320f06d8554ea6380940ec79",
        "t10k-images-idx3-ubyte.gz, SHA-256, 346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
        "t10k-labels-idx1-ubyte.gz, MD5,     bb300cfdad3c16e7a12a480ee83cd310",
        "t10k-labels-idx1-ubyte.gz, SHA-256, 67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
    })
    void theJarCarriesTheOfficialFilesByteForByte(String file, String algorithm, String expected) throws IOException {
        MessageDigest digest = Checksum.digest(algorithm);
        try (InputStream in = Dataset.class.getResourceAsStream(file)) {
            assertNotNull(in, file);
            new DigestInputStream(in, digest).readAllBytes();
        }
        assertEquals(expected, Checksum.hex(digest.digest()));
    }

    @Test
    void theBundledSetIsTheFashionMnistTestSet() {
        Dataset set = Datasets.bundled();
        assertEquals("fashion", set.name());
        assertEquals(10_000, set.size());
        assertEquals(28 * 28, set.values());
        assertEquals("5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b", set.sha256());
        assertEquals(9, set.label(0), "an ankle boot");
        int[] perClass = new int[10];
        for (int i = 0; i < set.size(); i++) {
            perClass[set.label(i)]++;
        }
        for (int count : perClass) {
            assertEquals(1000, count);
        }
        assertTrue(
                set.description().startsWith("Fashion-MNIST: 10,000 x 1x28x28 from bundled t10k-images"),
                set.description());
        assertTrue(set.description().contains("apt install dataset-fashion-mnist, or --download"));
    }
}
