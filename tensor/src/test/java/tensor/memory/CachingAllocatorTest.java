package tensor.memory;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.HashMap;
import java.util.Map;
import java.util.logging.Level;
import java.util.logging.Logger;
import org.junit.jupiter.api.Test;

class CachingAllocatorTest {
    /** An address space of {@code limit} bytes that notes what is taken. */
    private static final class FakeSource implements CachingAllocator.Source {
        final Map<Long, Long> taken = new HashMap<>();
        final long limit;
        long next = 1 << 20;
        int calls;

        FakeSource(long limit) {
            this.limit = limit;
        }

        long used() {
            return taken.values().stream().mapToLong(Long::longValue).sum();
        }

        @Override
        public long allocate(long bytes) {
            calls++;
            assertEquals(0, bytes % 64, "sizes asked of a source are multiples of 64");
            if (used() + bytes > limit) throw new OutOfMemoryError("full");
            long address = next;
            next += bytes;
            taken.put(address, bytes);
            return address;
        }

        @Override
        public void free(long address, long bytes) {
            assertEquals(bytes, taken.remove(address), "a block goes back once, with its own size");
        }
    }

    @Test
    void atMostAnEighthIsWasted() {
        for (long bytes = 1; bytes < 1 << 22; bytes += 1 + bytes / 37) {
            long rounded = CachingAllocator.sizeClass(bytes);
            assertTrue(rounded >= bytes && rounded % 64 == 0 && rounded >= 64, bytes + " → " + rounded);
            assertTrue(bytes <= 512 || rounded - bytes <= bytes / 8, bytes + " → " + rounded);
            assertEquals(rounded, CachingAllocator.sizeClass(rounded), "a class is its own class");
        }
    }

    @Test
    void whatIsReleasedAfterItsAllocatorRetiredGoesBack() {
        FakeSource source = new FakeSource(1 << 20);
        CachingAllocator allocator = new CachingAllocator(source);
        Buffer kept = allocator.allocate(1000);
        allocator.allocate(2000).release();
        allocator.retire();
        assertEquals(allocator.use().live(), source.used());
        kept.release();
        assertEquals(0, source.used());
        allocator.close();
    }

    @Test
    void addressesStayMultiplesOf64() {
        try (CachingAllocator allocator = new CachingAllocator(new FakeSource(1 << 20))) {
            for (int bytes : new int[] {1, 63, 64, 65, 1000, 4097}) {
                Buffer buffer = allocator.allocate(bytes);
                assertEquals(0, buffer.address() % 64);
                assertTrue(buffer.bytes() >= bytes);
                buffer.release();
            }
        }
    }

    @Test
    void aFreedBlockIsUsedAgainWithoutAskingTheSource() {
        FakeSource source = new FakeSource(1 << 20);
        try (CachingAllocator allocator = new CachingAllocator(source)) {
            Buffer first = allocator.allocate(1000);
            long address = first.address();
            first.release();
            for (int step = 0; step < 100; step++) {
                Buffer again = allocator.allocate(990); // same class
                assertEquals(address, again.address());
                again.release();
            }
            assertEquals(1, source.calls);
            assertEquals(new MemoryUse(0, 1024, 1024), allocator.use());
        }
        assertEquals(0, source.used());
    }

    @Test
    void theSmallestFreeBlockOfAtMostTwiceTheSizeIsUsed() {
        FakeSource source = new FakeSource(1 << 20);
        try (CachingAllocator allocator = new CachingAllocator(source)) {
            Buffer small = allocator.allocate(1024);
            Buffer large = allocator.allocate(2048);
            Buffer larger = allocator.allocate(4096);
            long address = large.address();
            small.release();
            large.release();
            larger.release();
            Buffer first = allocator.allocate(1025);
            assertEquals(address, first.address(), "more than the small one, and less than the larger one");
            assertEquals(2048, allocator.use().live(), "what is taken counts");
            Buffer second = allocator.allocate(1025);
            assertEquals(4, source.calls, "4096 is more than twice as much");
            first.release();
            second.release();
        }
    }

    @Test
    void liveBlocksNeverOverlap() {
        try (CachingAllocator allocator = new CachingAllocator(new FakeSource(1 << 20))) {
            Buffer a = allocator.allocate(1000);
            Buffer b = allocator.allocate(1000);
            assertNotEquals(a.address(), b.address());
            assertEquals(new MemoryUse(2048, 2048, 2048), allocator.use());
            a.release();
            assertEquals(new MemoryUse(1024, 2048, 2048), allocator.use());
            b.release();
        }
    }

    @Test
    void trimGivesFreeBlocksBackAndKeepsLiveOnes() {
        FakeSource source = new FakeSource(1 << 20);
        try (CachingAllocator allocator = new CachingAllocator(source)) {
            Buffer kept = allocator.allocate(64);
            allocator.allocate(4096).release();
            allocator.trim();
            assertEquals(64, source.used());
            assertEquals(64, allocator.use().reserved());
            kept.release();
        }
    }

    @Test
    void whenTheSourceIsFullTheCacheIsGivenBackAndAskedAgain() {
        FakeSource source = new FakeSource(8192);
        try (CachingAllocator allocator = new CachingAllocator(source)) {
            allocator.allocate(4096).release();
            allocator.allocate(2048).release();
            Buffer large = allocator.allocate(8192); // only fits once the two are gone
            assertEquals(8192, source.used());
            OutOfMemoryError error = assertThrows(OutOfMemoryError.class, () -> allocator.allocate(64));
            assertTrue(error.getMessage().contains("use a smaller batch or model"), error.getMessage());
            large.release();
        }
    }

    @Test
    void blocksWhoseAddressesAreKnownStayWhenTheSourceIsFull() {
        FakeSource source = new FakeSource(8192);
        try (CachingAllocator allocator = new CachingAllocator(source, true)) {
            allocator.allocate(4096).release();
            assertThrows(OutOfMemoryError.class, () -> allocator.allocate(8192));
            assertEquals(4096, source.used());
        }
        assertEquals(0, source.used());
    }

    @Test
    void closingWithLiveBlocksThrows() {
        CachingAllocator allocator = new CachingAllocator(new FakeSource(1 << 20));
        Buffer buffer = allocator.allocate(64);
        String message =
                assertThrows(IllegalStateException.class, allocator::close).getMessage();
        assertEquals("64 bytes are still in use by tensors", message);
        buffer.release();
        allocator.close();
    }

    @Test
    void anAbandonedBlockIsRecycled() throws InterruptedException {
        Logger log = Logger.getLogger("tensor.memory");
        Level level = log.getLevel();
        log.setLevel(Level.OFF); // this leak is meant
        FakeSource source = new FakeSource(1 << 20);
        try (CachingAllocator allocator = new CachingAllocator(source)) {
            allocator.allocate(1000);
            for (int i = 0; i < 200 && allocator.use().live() != 0; i++) {
                System.gc();
                Thread.sleep(5);
            }
            assertEquals(0, allocator.use().live());
            allocator.allocate(1000).release();
            assertEquals(1, source.calls);
        } finally {
            log.setLevel(level);
        }
    }
}
