package tensor.memory;

/**
 * What an allocator holds, in bytes.
 *
 * @param live in blocks that somebody still references
 * @param reserved obtained from the system: live blocks and cached free ones
 * @param peak the largest {@code live} so far
 */
public record MemoryUse(long live, long reserved, long peak) {}
