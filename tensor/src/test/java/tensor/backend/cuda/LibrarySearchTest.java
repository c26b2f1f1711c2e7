package tensor.backend.cuda;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class LibrarySearchTest {
    @TempDir
    Path root;

    private Path file(String path) throws IOException {
        Path file = root.resolve(path);
        Files.createDirectories(file.getParent());
        return Files.writeString(file, "");
    }

    private LibrarySearch search(Map<String, String> environment, String property) {
        return LibrarySearch.of(environment, property, root.resolve("home").toString(), root);
    }

    @Test
    void foldersOfTheUserComeBeforeThoseOfTheSystem() throws IOException {
        Path system = file("usr/lib64/libcudnn.so.9");
        Path path = file("path/libcudnn.so.9");
        Path named = file("named/libcudnn.so.9");
        assertEquals(system, search(Map.of(), null).find("libcudnn.so.9"));
        Map<String, String> environment = Map.of("LD_LIBRARY_PATH", "/nowhere::" + path.getParent());
        assertEquals(path, search(environment, null).find("libcudnn.so.9"));
        assertEquals(named, search(environment, named.getParent().toString()).find("libcudnn.so.9"));
    }

    @Test
    void pythonsPackagesAndVersionedFoldersAreFound() throws IOException {
        Path pip = file("usr/local/lib/python3.12/dist-packages/nvidia/cudnn/lib/libcudnn.so.9");
        Path cuda = file("usr/local/cuda-13.0/lib64/libcublas.so.13");
        Path user = file("home/.local/lib/python3.11/site-packages/nvidia/cu13/lib/libnvrtc.so.13");
        LibrarySearch search = search(Map.of(), null);
        assertEquals(pip, search.find("libcudnn.so.9"));
        assertEquals(cuda, search.find("libcublas.so.13"));
        assertEquals(user, search.find("libnvrtc.so.13"));
        assertNull(search.find("libcuda.so.1"));
    }

    @Test
    void anEnvironmentOfCondaHasThemBesideItsPrograms() throws IOException {
        Path dnn = file("env/lib/libcudnn.so.9");
        assertNull(search(Map.of(), null).find("libcudnn.so.9"));
        Map<String, String> active = Map.of("CONDA_PREFIX", root.resolve("env").toString());
        assertEquals(dnn, search(active, null).find("libcudnn.so.9"));
    }

    @Test
    void whatIsMissingIsSaidInTheOrderInWhichOneInstallsIt() throws IOException {
        assertTrue(
                Libraries.missing(search(Map.of(), null)).startsWith("no NVIDIA driver: libcuda.so.1 was not found"));
        List<String> looked = Libraries.look(search(Map.of(), null));
        assertEquals(5, looked.size());
        assertEquals("libcuda.so.1: not found", looked.get(0));
        file("usr/lib64/libcuda.so.1");
        String noBlas = Libraries.missing(search(Map.of(), null));
        assertTrue(noBlas.startsWith("no cuBLAS: neither libcublas.so.12 nor libcublas.so.13"), noBlas);
        file("usr/lib64/libcublas.so.13");
        assertEquals(13, Libraries.blasVersion(search(Map.of(), null)));
        String noDnn = Libraries.missing(search(Map.of(), null));
        assertTrue(
                noDnn.startsWith("no cuDNN: libcudnn.so.9 was not found (looked in " + root.resolve("usr/lib64")),
                noDnn);
        assertTrue(noDnn.endsWith("install cuDNN 9, or name the folder with -Dddpm.cuda.path"), noDnn);
        Path old = file("usr/lib64/libcudnn.so.8");
        String tooOld = Libraries.missing(search(Map.of(), null));
        assertTrue(tooOld.startsWith("no cuDNN: libcudnn.so.9 was not found, only " + old + " (looked in "), tooOld);
        file("usr/lib64/libcudnn.so.9");
        file("usr/lib64/libcublas.so.12");
        assertNull(Libraries.missing(search(Map.of(), null)));
        assertEquals(12, Libraries.blasVersion(search(Map.of(), null)), "the version that the bridges were made for");
    }
}
