package tensor.backend.cuda;

import java.io.IOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * Where a shared library of NVIDIA's may lie, in the order in which it is looked for: the folders that the user names
 * ({@code -Dddpm.cuda.path} or {@code DDPM_CUDA_PATH}), {@code LD_LIBRARY_PATH}, the system's folders, CUDA's own, and those of
 * Python's environments: {@code lib}, where conda puts libraries, and the {@code nvidia/*}{@code /lib} of packages.
 */
final class LibrarySearch {
    /** System property with folders to look in first, separated by colons. */
    static final String PROPERTY = "ddpm.cuda.path";
    /** The same as an environment variable. */
    static final String VARIABLE = "DDPM_CUDA_PATH";

    private static final List<String> SYSTEM = List.of(
            "/usr/lib/x86_64-linux-gnu",
            "/lib/x86_64-linux-gnu",
            "/usr/lib64",
            "/usr/lib",
            "/usr/lib/wsl/lib",
            "/usr/local/nvidia/lib64",
            "/usr/local/nvidia/lib",
            "/usr/local/cuda/lib64",
            "/usr/local/cuda/targets/x86_64-linux/lib",
            "/usr/local/cuda-*/lib64",
            "/opt/cuda/lib64");
    private static final List<String> PYTHON = List.of("lib/python3*/site-packages", "lib/python3*/dist-packages");

    private final List<Path> folders;

    private LibrarySearch(List<Path> folders) {
        this.folders = folders;
    }

    /** The folders of this machine and this process. */
    static LibrarySearch ofHost() {
        return of(System.getenv(), System.getProperty(PROPERTY), System.getProperty("user.home"), Path.of("/"));
    }

    /** The folders that exist, below {@code root}, with this environment. */
    static LibrarySearch of(Map<String, String> environment, String property, String home, Path root) {
        Set<Path> found = new LinkedHashSet<>();
        found.addAll(folders(property));
        found.addAll(folders(environment.get(VARIABLE)));
        found.addAll(folders(environment.get("LD_LIBRARY_PATH")));
        for (String pattern : SYSTEM) found.addAll(expand(root, pattern));
        List<Path> prefixes = new ArrayList<>();
        for (String variable : List.of("VIRTUAL_ENV", "CONDA_PREFIX"))
            if (environment.get(variable) != null) prefixes.add(Path.of(environment.get(variable)));
        for (Path programs : folders(environment.get("PATH")))
            if (Files.exists(programs.resolve("python3")) && programs.getParent() != null)
                prefixes.add(programs.getParent());
        prefixes.add(Path.of(home, ".local"));
        for (String prefix : List.of("usr/local", "usr", "opt/conda")) prefixes.add(root.resolve(prefix));
        for (Path prefix : prefixes) {
            found.add(prefix.resolve("lib"));
            for (String packages : PYTHON) found.addAll(expand(prefix, packages + "/nvidia/*/lib"));
        }
        return new LibrarySearch(found.stream().filter(Files::isDirectory).toList());
    }

    /** The folders of a list in which colons separate them; none for {@code null}. */
    private static List<Path> folders(String list) {
        if (list == null) return List.of();
        return Arrays.stream(list.split(":"))
                .filter(folder -> !folder.isBlank())
                .map(folder -> Path.of(folder.strip()))
                .toList();
    }

    /** The folders that a pattern with {@code *} in whole names names. */
    private static List<Path> expand(Path root, String pattern) {
        List<Path> level = List.of(root);
        for (String name : pattern.split("/")) {
            if (name.isEmpty()) continue;
            List<Path> below = new ArrayList<>();
            for (Path folder : level) {
                if (!name.contains("*")) below.add(folder.resolve(name));
                else if (Files.isDirectory(folder))
                    try (DirectoryStream<Path> files = Files.newDirectoryStream(folder, name)) {
                        files.forEach(below::add);
                    } catch (IOException e) {
                        continue; // a folder that may not be read holds nothing for us
                    }
            }
            level = below.stream().sorted().toList();
        }
        return level;
    }

    /** The folders, in order. */
    List<Path> folders() {
        return folders;
    }

    /** The first file of this name, or {@code null}. */
    Path find(String name) {
        for (Path folder : folders) if (Files.exists(folder.resolve(name))) return folder.resolve(name);
        return null;
    }

    /** For sentences: where {@link #find} looks. */
    String where() {
        return folders.isEmpty()
                ? "none of the usual folders is there"
                : "looked in "
                        + String.join(", ", folders.stream().map(Path::toString).toList());
    }

    /**
     * For sentences: what is there of other versions of a library, behind a comma; empty where there is nothing.
     *
     * @param library its name without the version, {@code libcudnn.so.}
     */
    String others(String library) {
        List<String> others = new ArrayList<>();
        for (Path folder : folders) for (Path file : expand(folder, library + "*")) others.add(file.toString());
        return others.isEmpty() ? "" : ", only " + String.join(", ", others);
    }
}
