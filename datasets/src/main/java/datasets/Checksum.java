package datasets;

import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;

/**
 * What a well-known file must hash to.
 *
 * <p>A gzip header may be rewritten without touching the data (Debian strips the file name), so the checksum of choice is
 * the SHA-256 of the <em>payload</em>, the uncompressed bytes. Where only an MD5 of the compressed file was ever
 * published (KMNIST, CIFAR-10), that is used for the compressed file.
 */
record Checksum(String algorithm, boolean ofPayload, String hex) {
    static Checksum ofPayload(String sha256) {
        return new Checksum("SHA-256", true, sha256);
    }

    static Checksum ofFile(String md5) {
        return new Checksum("MD5", false, md5);
    }

    void expect(String path, String found) {
        if (!hex.equals(found)) {
            throw DatasetException.malformed(
                    path, algorithm + " of the " + (ofPayload ? "uncompressed data" : "file"), hex, found);
        }
    }

    static MessageDigest digest(String algorithm) {
        try {
            return MessageDigest.getInstance(algorithm);
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException(algorithm + " is part of every Java platform", e);
        }
    }

    static String hex(byte[] digest) {
        return HexFormat.of().formatHex(digest);
    }
}
