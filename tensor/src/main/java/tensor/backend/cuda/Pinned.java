package tensor.backend.cuda;

import static jcuda.driver.JCudaDriver.cuMemFreeHost;
import static jcuda.driver.JCudaDriver.cuMemHostAlloc;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import jcuda.Pointer;

/**
 * Memory of the host at a fixed address: the device reads and writes it without a copy in between, and Java fills it
 * through {@link #bytes}. A kernel's arguments and the scalars of library calls lie in such a block, for an argument
 * that is a Java object costs thirty times the call.
 */
final class Pinned implements AutoCloseable {
    private final Pointer start;
    private final long address;
    private final ByteBuffer bytes;

    Pinned(int size) {
        Pointer allocated = new Pointer();
        Status.driver(cuMemHostAlloc(allocated, size, 0), "cuMemHostAlloc of " + size + " bytes");
        start = allocated;
        address = new Reader(allocated).address();
        bytes = allocated.getByteBuffer(0, size).order(ByteOrder.nativeOrder());
    }

    private static final class Reader extends Pointer {
        Reader(Pointer pointer) {
            super(pointer);
        }

        Reader(long address) {
            super(address);
        }

        long address() {
            return getNativePointer() + getByteOffset();
        }
    }

    /** The contents; positions are absolute. */
    ByteBuffer bytes() {
        return bytes;
    }

    /** The address of byte {@code offset}. */
    long address(int offset) {
        return address + offset;
    }

    /** The address of byte {@code offset} in the form that JCuda wants. */
    Pointer pointer(int offset) {
        return new Reader(address + offset);
    }

    @Override
    public void close() {
        Status.driver(cuMemFreeHost(start), "cuMemFreeHost");
    }
}
