package ddpm.io;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Path;

/** Fails the n-th operation on files. */
final class FailingStorage implements Storage {
    private int left;
    private boolean failed;

    FailingStorage(int n) {
        left = n;
    }

    /** Whether it has. */
    boolean failed() {
        return failed;
    }

    private void call() throws IOException {
        if (--left == 0) {
            failed = true;
            throw new IOException("No space left on device");
        }
    }

    @Override
    public File create(Path file) throws IOException {
        call();
        File real = DISK.create(file);
        return new File() {
            @Override
            public void write(ByteBuffer bytes) throws IOException {
                call();
                real.write(bytes);
            }

            @Override
            public void force() throws IOException {
                call();
                real.force();
            }

            @Override
            public void close() throws IOException {
                real.close();
            }
        };
    }

    @Override
    public void createFolder(Path path) throws IOException {
        call();
        DISK.createFolder(path);
    }

    @Override
    public void move(Path from, Path to) throws IOException {
        call();
        DISK.move(from, to);
    }

    @Override
    public void forceFolder(Path path) throws IOException {
        call();
        DISK.forceFolder(path);
    }
}
