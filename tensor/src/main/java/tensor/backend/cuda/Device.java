package tensor.backend.cuda;

import jcuda.driver.CUdeviceptr;

/** An address on the device, in the form that JCuda wants. */
final class Device extends CUdeviceptr {
    private static final CUdeviceptr ORIGIN = new CUdeviceptr();

    Device(long address) {
        super(ORIGIN, address);
    }

    /** The number behind an address that the driver gave. */
    static long address(CUdeviceptr pointer) {
        return new Reader(pointer).getAddress();
    }

    private static final class Reader extends CUdeviceptr {
        Reader(CUdeviceptr pointer) {
            super(pointer);
        }

        long getAddress() {
            return getNativePointer() + getByteOffset();
        }
    }
}
