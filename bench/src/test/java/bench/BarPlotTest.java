package bench;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.ByteArrayInputStream;
import java.nio.charset.StandardCharsets;
import java.util.LinkedHashMap;
import java.util.Map;
import javax.xml.parsers.DocumentBuilderFactory;
import org.junit.jupiter.api.Test;
import org.w3c.dom.Document;
import org.w3c.dom.Element;
import org.w3c.dom.NodeList;
import tensor.backend.Backend;

class BarPlotTest {
    @Test
    void barsAreProportionalToTheirValues() throws Exception {
        Map<String, double[]> values = new LinkedHashMap<>();
        values.put("a < b", new double[] {10, 40});
        values.put("c", new double[] {20, -3});
        String svg = new BarPlot("ms", "ours", "theirs", values).toSvg();
        Document document = DocumentBuilderFactory.newInstance()
                .newDocumentBuilder()
                .parse(new ByteArrayInputStream(svg.getBytes(StandardCharsets.UTF_8)));
        NodeList bars = document.getElementsByTagName("rect"); // background, two of the legend, then the values
        double[] width = new double[4];
        for (int i = 0; i < 4; i++) width[i] = Double.parseDouble(((Element) bars.item(3 + i)).getAttribute("width"));
        assertEquals(7, bars.getLength());
        assertEquals(width[1], 4 * width[0], 0.3);
        assertEquals(width[1], 2 * width[2], 0.3);
        assertEquals(0, width[3]);
    }

    /** A new call of the backend must be given a kind. */
    @Test
    void everyCallThatComputesHasAKind() {
        for (var method : Backend.class.getMethods()) {
            String name = method.getName();
            boolean computes = method.getReturnType() == void.class || name.equals("sumOfSquares");
            boolean prepares = java.util.Set.of("upload", "download", "synchronize", "fill", "random", "close")
                    .contains(name);
            if (computes && !prepares) assertFalse(StepParts.kind(name).equals("rest"), name);
        }
        assertTrue(StepParts.kind("allocate").equals("rest"));
    }
}
