package tensor.backend.cuda;

import static org.junit.jupiter.api.Assertions.assertEquals;

import org.junit.jupiter.api.Test;
import tensor.Shape;

class PiecesTest {
    @Test
    void theLastPieceMayBeShort() {
        Pieces pieces = new Casts();
        pieces.count(1);
        assertEquals(1, pieces.pieces());
        pieces.count(4096);
        assertEquals(2, pieces.pieces());
        pieces.count(4097);
        assertEquals(4, pieces.pieces());
        pieces.count((int) Shape.MAX_SIZE);
        assertEquals(4 + (1 << 19), pieces.pieces());
    }
}
