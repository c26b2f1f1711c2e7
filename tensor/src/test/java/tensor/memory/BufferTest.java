package tensor.memory;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.logging.Level;
import java.util.logging.Logger;
import org.junit.jupiter.api.Test;

class BufferTest {
    /** Counts how it is given back. */
    private static final class CountingBlock implements Buffer.Block {
        int freed;
        volatile int abandoned;

        @Override
        public long address() {
            return 4096;
        }

        @Override
        public long bytes() {
            return 64;
        }

        @Override
        public void free() {
            freed++;
        }

        @Override
        public void freeAbandoned() {
            abandoned++;
        }
    }

    @Test
    void theLastReleaseGivesTheBlockBackOnce() {
        CountingBlock block = new CountingBlock();
        Buffer buffer = new Buffer(block).retain();
        buffer.release();
        assertTrue(buffer.isLive());
        assertEquals(0, block.freed);
        assertEquals(4096, buffer.address());
        buffer.release();
        assertFalse(buffer.isLive());
        assertEquals(1, block.freed);
        assertEquals(0, block.abandoned);
        assertThrows(IllegalStateException.class, buffer::release);
        assertThrows(IllegalStateException.class, buffer::retain);
        assertThrows(IllegalStateException.class, buffer::address);
        assertEquals(1, block.freed);
    }

    @Test
    void whoTouchesAFencedBlockWaitsOnceAndWhoOnlyHoldsItDoesNot() {
        CountingBlock block = new CountingBlock();
        int[] waits = new int[1];
        Buffer buffer = new Buffer(block);
        buffer.fence(() -> waits[0]++);
        buffer.retain().release();
        assertEquals(0, waits[0]);
        buffer.address();
        buffer.address();
        assertEquals(1, waits[0]);
        buffer.fence(() -> waits[0] += block.freed == 0 ? 1 : 100);
        buffer.release(); // what is still written to is not given back
        assertEquals(2, waits[0]);
    }

    @Test
    void whoWritesIntoAGuardedBlockWaitsAndWhoReadsItDoesNot() {
        int[] waits = new int[1];
        Buffer buffer = new Buffer(new CountingBlock());
        buffer.guard(() -> waits[0]++);
        buffer.address();
        assertEquals(0, waits[0]);
        buffer.written();
        buffer.written();
        assertEquals(1, waits[0]);
        buffer.release();
    }

    @Test
    void everyWriteMakesANewVersion() {
        Buffer buffer = new Buffer(new CountingBlock());
        long before = buffer.version();
        buffer.written();
        assertEquals(before + 1, buffer.version());
        buffer.release();
    }

    @Test
    void whatWasDerivedIsClosedWithTheBufferOrWhenSomethingElseTakesItsPlace() {
        int[] closed = new int[2];
        Buffer buffer = new Buffer(new CountingBlock());
        buffer.companion(() -> closed[0]++);
        assertEquals(0, closed[0]);
        buffer.companion(() -> closed[1]++);
        assertEquals(1, closed[0]);
        assertEquals(0, closed[1]);
        buffer.release();
        assertEquals(1, closed[0]);
        assertEquals(1, closed[1]);
    }

    @Test
    void anAbandonedBufferIsCountedAndItsBlockComesBack() throws InterruptedException {
        Logger log = Logger.getLogger("tensor.memory");
        Level level = log.getLevel();
        log.setLevel(Level.OFF); // this leak is meant
        try {
            CountingBlock block = new CountingBlock();
            long leaks = Buffer.leaks();
            new Buffer(block);
            for (int i = 0; i < 200 && block.abandoned == 0; i++) {
                System.gc();
                Thread.sleep(5);
            }
            assertEquals(1, block.abandoned);
            assertEquals(leaks + 1, Buffer.leaks());
            assertEquals(0, block.freed);
        } finally {
            log.setLevel(level);
        }
    }
}
