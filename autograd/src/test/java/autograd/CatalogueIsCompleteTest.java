package autograd;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import autograd.check.OpCase;
import autograd.check.OpCatalogue;
import autograd.ops.Add;
import java.io.IOException;
import java.net.URISyntaxException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import tensor.backend.UnaryOp;

class CatalogueIsCompleteTest {
    /** Every class of {@code autograd.ops}, found in its folder, stands in the catalogue under its name. */
    @Test
    void everyOpHasACase() throws IOException, URISyntaxException {
        Path folder = Path.of(Add.class.getResource("Add.class").toURI()).getParent();
        Set<String> ops;
        try (Stream<Path> files = Files.list(folder)) {
            ops = files.map(f -> f.getFileName().toString())
                    .filter(f -> f.endsWith(".class") && !f.contains("$") && !f.startsWith("package-info"))
                    .map(f -> f.substring(0, f.length() - ".class".length()))
                    .collect(Collectors.toCollection(TreeSet::new));
        }
        Set<String> shown = OpCatalogue.all().stream().map(OpCase::op).collect(Collectors.toCollection(TreeSet::new));
        assertEquals(ops, shown);
        assertTrue(ops.size() > 25, "the folder was found: " + ops);
    }

    @Test
    void everyRowOfThePointwiseTableHasACase() {
        Set<String> shown = OpCatalogue.all().stream()
                .filter(c -> c.op().equals("Pointwise"))
                .map(OpCase::name)
                .collect(Collectors.toSet());
        for (UnaryOp f : UnaryOp.values()) assertTrue(shown.contains(f.name()), f.name());
    }

    @Test
    void noTwoCasesHaveOneName() {
        assertEquals(
                OpCatalogue.all().size(),
                OpCatalogue.all().stream().map(OpCase::toString).distinct().count());
    }
}
