package nativelib;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.math.BigInteger;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class NativeLibraryTest {
    @Test
    void itIsAvailableOrSaysWhyNot() {
        assertEquals(NativeLibrary.isAvailable(), NativeLibrary.whyNot() == null);
        if (NativeLibrary.isAvailable()) return;
        assertNotNull(NativeLibrary.whyNot());
        assertEquals(
                NativeLibrary.whyNot(),
                assertThrows(IllegalStateException.class, () -> NativeLibrary.threads(1))
                        .getMessage());
        assertThrows(IllegalStateException.class, NativeLibrary::description);
    }

    @Test
    void onlyLinuxOnX86IsServed() {
        assertNull(NativeLibrary.refusal("Linux", "amd64"));
        assertEquals(
                "the native library exists for Linux x86_64 only, and this is Mac OS X aarch64: use another backend",
                NativeLibrary.refusal("Mac OS X", "aarch64"));
        assertNotNull(NativeLibrary.refusal("Linux", "aarch64"));
        assertNotNull(NativeLibrary.refusal("Windows 11", "amd64"));
    }

    @Test
    void aMissingLibraryIsNamedWithWhatToDo() {
        assertEquals(
                "the native library libddpm.so was not built: install g++ and run mvn package again",
                NativeLibrary.missing("/nativelib/linux-x86_64/libddpm.so"));
        assertTrue(NativeLibrary.missing("/org/bytedeco/dnnl/linux-x86_64/libdnnl.so.3")
                .contains("add org.bytedeco:dnnl with the classifier linux-x86_64"));
    }

    @Test
    void theDescriptionNamesLibraryVersionAndInstructionSet() {
        assumeTrue(NativeLibrary.isAvailable(), NativeLibrary.whyNot());
        assertTrue(
                NativeLibrary.description().matches("oneDNN \\d+\\.\\d+\\.\\d+, avx(2|512) kernels"),
                NativeLibrary.description());
    }

    @Test
    void theNumberOfThreadsIsThatOfTheCallingThread() throws InterruptedException {
        assumeTrue(NativeLibrary.isAvailable(), NativeLibrary.whyNot());
        NativeLibrary.threads(1);
        assertEquals(1, Cpu.threads());
        Thread other = new Thread(() -> NativeLibrary.threads(3));
        other.start();
        other.join();
        assertEquals(1, Cpu.threads());
        assertThrows(IllegalArgumentException.class, () -> NativeLibrary.threads(0));
    }

    /** Another test begins on all cores. */
    @AfterEach
    void leave() {
        if (NativeLibrary.isAvailable()) Cpu.leave();
    }

    @Test
    void theCallingThreadKeepsOffTheWorkersCoresUntilThereAreNone() throws IOException {
        assumeTrue(NativeLibrary.isAvailable(), NativeLibrary.whyNot());
        int all = allowedCpus().bitCount();
        assumeTrue(all > 1, "one core");
        assertEquals(all, Cpu.allowed());
        NativeLibrary.threads(2);
        assertEquals(all - 1, allowedCpus().bitCount());
        NativeLibrary.threads(2);
        assertEquals(all - 1, allowedCpus().bitCount(), "again, and nothing has changed");
        assertEquals(all, Cpu.allowed());
        NativeLibrary.threads(all + 1);
        NativeLibrary.threads(1);
        assertEquals(all, allowedCpus().bitCount());
    }

    @Test
    void workersTakeTheLastCoresThatAreNotBusy() throws IOException {
        assumeTrue(NativeLibrary.isAvailable(), NativeLibrary.whyNot());
        BigInteger all = allowedCpus();
        assumeTrue(all.bitCount() > 1, "one core");
        int last = all.bitLength() - 1;
        int before = all.clearBit(last).bitLength() - 1;
        Cpu.threads(2, new int[0]);
        assertEquals(all.clearBit(last), allowedCpus());
        Cpu.threads(2, new int[] {last});
        assertEquals(all.clearBit(before), allowedCpus());
        Cpu.threads(2, IntStream.rangeClosed(0, last).toArray());
        assertEquals(all.clearBit(last), allowedCpus(), "all are busy");
        NativeLibrary.threads(1);
        assertEquals(all, allowedCpus());
    }

    /** The cores that the calling thread may run on, a bit for each. */
    private static BigInteger allowedCpus() throws IOException {
        for (String line : Files.readAllLines(Path.of("/proc/thread-self/status")))
            if (line.startsWith("Cpus_allowed:")) return new BigInteger(line.replaceAll(".*:|[,\\s]", ""), 16);
        throw new IOException("no line Cpus_allowed");
    }

    @Test
    void whatALibraryNeedsIsToldByWhatTheSystemSaid() {
        Path folder = Path.of("/home/u/.cache");
        assertEquals(
                "files in /home/u/.cache may not be executed; name another folder in XDG_CACHE_HOME",
                NativeLibrary.needed("/a.so: failed to map segment from shared object", folder));
        assertEquals(
                "it needs glibc 2.34 or newer and libstdc++",
                NativeLibrary.needed("/lib/libc.so.6: version `GLIBC_2.34' not found", folder));
    }

    @Test
    void theExampleOfTheChapter() {
        assumeTrue(NativeLibrary.isAvailable(), NativeLibrary.whyNot());
        NativeLibrary.threads(FreeCores.count());
        long x = Kernels.allocate(64);
        long y = Kernels.allocate(64);
        Kernels.upload(false, new float[] {1, 2, 3, 4}, x);
        OneDnn.matmul(false, 1, 2, 2, 2, false, true, false, false, x, x, 0, y); // y = x · xᵀ
        float[] product = new float[4];
        Kernels.download(false, y, product);
        assertArrayEquals(new float[] {5, 11, 11, 25}, product);
        Kernels.free(x);
        Kernels.free(y);
    }

    @Test
    void whatOneDnnRefusesIsAnExceptionAndNotACrash() {
        assumeTrue(NativeLibrary.isAvailable(), NativeLibrary.whyNot());
        int[] noOutput = {1, 4, 4, 8, 8, 3, 3, 99, 99, 1, 1, 1, 1, 1, 1};
        long filters = OneDnn.newPackedFilters();
        try {
            assertThrows(
                    IllegalStateException.class, () -> OneDnn.convolution(false, noOutput, 0, 0, 0, 0, filters, 0));
            assertThrows(
                    IllegalArgumentException.class,
                    () -> OneDnn.convolution(false, new int[3], 0, 0, 0, 0, filters, 0));
            assertThrows(
                    IllegalStateException.class, () -> OneDnn.convolutionBackwardWeights(false, noOutput, 0, 0, 0, 0));
        } finally {
            OneDnn.freePackedFilters(filters);
        }
    }
}
