package tensor.backend.cuda;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import tensor.memory.Buffer;
import tensor.memory.CachingAllocator;

/**
 * Where blocks come from, for all but recordings: from the device, and when that is full, from recordings. What of a recording's is
 * free when it has been made holds nothing between two replays, and the device does everything in the order of the calls. So it is
 * lent until the next replay begins: the last, smaller batch of an epoch, which is computed call by call, then takes hardly more than
 * the recorded step has.
 *
 * <pre>replay ── lent … given back ── replay ── …</pre>
 */
final class Lending implements CachingAllocator.Source {
    private final CudaContext context;
    private final CachingAllocator borrower = new CachingAllocator(this);
    private final List<CachingAllocator> lenders = new ArrayList<>();
    /** By address. */
    private final Map<Long, Buffer> lent = new HashMap<>();

    Lending(CudaContext context) {
        this.context = context;
    }

    /** Where all tensors lie but those of recordings. */
    CachingAllocator borrower() {
        return borrower;
    }

    /** From now on the free blocks of a recording may be lent; it asks the device for no more. */
    void add(CachingAllocator lender) {
        lenders.add(lender);
    }

    /** No more, as it is closed: what is still lent goes back to the device when it is given back. */
    void close(CachingAllocator lender) {
        lenders.remove(lender);
        if (takeBack(lender) == 0) lender.close();
        else lender.retire();
    }

    /** From the device, once more when what the borrower has cached is back there, and then from recordings. */
    @Override
    public long allocate(long bytes) {
        try {
            return context.allocate(bytes);
        } catch (OutOfMemoryError full) {
            borrower.trim();
        }
        try {
            return context.allocate(bytes);
        } catch (OutOfMemoryError full) {
            for (CachingAllocator lender : lenders)
                // it looks among blocks of at most twice the size
                for (long size = bytes; size <= lender.use().reserved(); size *= 2)
                    try {
                        Buffer block = lender.allocate(size);
                        lent.put(block.address(), block);
                        return block.address();
                    } catch (OutOfMemoryError none) {
                        continue;
                    }
            throw full;
        }
    }

    @Override
    public void free(long address, long bytes) {
        Buffer block = lent.remove(address);
        if (block == null) context.free(address, bytes);
        else block.release();
    }

    /**
     * Before a replay: gives back what the recording has lent.
     *
     * @throws IllegalStateException when something of it is still in use, which the replay would write over
     */
    void giveBack(CachingAllocator lender) {
        long bytes = takeBack(lender);
        if (bytes > 0)
            throw new IllegalStateException(
                    "the device was full, and tensors of " + (bytes >> 10)
                            + " KiB that outlive the calls between two replays took what these need: use a smaller batch or model");
    }

    /** What the borrower has free of a lender's; the bytes that it has still in use. */
    private long takeBack(CachingAllocator lender) {
        if (lent.isEmpty() || lent.values().stream().noneMatch(lender::owns)) return 0;
        borrower.trim();
        return lent.values().stream()
                .filter(lender::owns)
                .mapToLong(Buffer::bytes)
                .sum();
    }
}
