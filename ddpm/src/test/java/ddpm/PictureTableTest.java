package ddpm;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

/** The table of pictures that were drawn in several ways. */
class PictureTableTest {
    @Test
    void columnsThatNoRowHasAreLeftOut() {
        List<Map<String, Object>> rows = List.of(
                Map.of(
                        "sampler",
                        "heun",
                        "steps",
                        10L,
                        "evaluations",
                        19L,
                        "seconds",
                        1.25,
                        "fid",
                        Map.of("fid", 12.345, "floor", 8.83, "ratio", 1.3981)),
                Map.of(
                        "sampler",
                        "ddpm",
                        "steps",
                        50L,
                        "evaluations",
                        50L,
                        "seconds",
                        3.0,
                        "kid",
                        List.of(0.002, 0.1)));
        assertEquals(
                List.of(
                        "| sampler | steps | evaluations | FID | floor | ratio | KID | seconds |",
                        "| --- | --- | --- | --- | --- | --- | --- | --- |",
                        "| heun | 10 | 19 | 12.35 | 8.83 | 1.40 | – | 1.3 |",
                        "| ddpm | 50 | 50 | – | – | – | 0.00200 | 3.0 |"),
                PictureTable.of(rows));
    }
}
