package tensor.backend.cuda;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;

/**
 * Points a native library of JCuda at another major version of the library it was linked to, for hosts that have
 * cuBLAS 13 only. In an ELF file the name {@code libcublas.so.12} stands in one place (needed library and symbol
 * version share the string) and its hash in each version it asks for; both are replaced, nothing moves.
 *
 * <pre>hash(s): h ← (h · 16 + c), g ← the top four bits of h, h ← (h ⊕ g / 2²⁴) without g      (System V ABI)</pre>
 */
final class Retarget {
    private static final int MAGIC = 0x464c457f; // "\177ELF"
    private static final int VERSION_NEEDS = 0x6ffffffe; // SHT_GNU_verneed
    private static final int TYPE = 4;
    private static final int OFFSET = 24;
    private static final int LINK = 40;

    private Retarget() {}

    /**
     * A copy of the library that asks for {@code to} where it asked for {@code from}.
     *
     * @throws IllegalArgumentException when it does not ask for {@code from}, or the names differ in length
     */
    static byte[] retarget(byte[] library, String from, String to) {
        if (from.length() != to.length()) throw new IllegalArgumentException(from + " and " + to + " differ in length");
        ByteBuffer elf = ByteBuffer.wrap(library.clone()).order(ByteOrder.LITTLE_ENDIAN);
        if (library.length < 64 || elf.getInt(0) != MAGIC || elf.get(4) != 2)
            throw new IllegalArgumentException("not a 64-bit ELF file");
        int sections = Math.toIntExact(elf.getLong(0x28));
        int size = elf.getShort(0x3a);
        int changed = 0;
        for (int i = 0; i < elf.getShort(0x3c); i++) {
            int section = sections + i * size;
            if (elf.getInt(section + TYPE) != VERSION_NEEDS) continue;
            int strings = Math.toIntExact(elf.getLong(sections + elf.getInt(section + LINK) * size + OFFSET));
            changed += replace(elf, Math.toIntExact(elf.getLong(section + OFFSET)), strings, from, to);
        }
        if (changed == 0) throw new IllegalArgumentException("the library does not ask for " + from);
        return elf.array();
    }

    /** Walks the list of needed libraries at {@code need}; for each a list of symbol versions. */
    private static int replace(ByteBuffer elf, int need, int strings, String from, String to) {
        int changed = 0;
        for (int next = 1; next != 0; need += next) {
            next = elf.getInt(need + 12);
            int file = strings + elf.getInt(need + 4);
            if (!text(elf, file).equals(from)) continue;
            int version = need + elf.getInt(need + 8);
            for (int step = 1; step != 0; version += step) {
                step = elf.getInt(version + 12);
                if (!text(elf, strings + elf.getInt(version + 8)).equals(from)) continue;
                elf.putInt(version, hash(to));
                changed++;
            }
            byte[] name = to.getBytes(StandardCharsets.US_ASCII);
            for (int k = 0; k < name.length; k++) elf.put(file + k, name[k]);
        }
        return changed;
    }

    private static String text(ByteBuffer elf, int at) {
        int end = at;
        while (elf.get(end) != 0) end++;
        return new String(elf.array(), at, end - at, StandardCharsets.US_ASCII);
    }

    /** The hash of a symbol version's name. */
    static int hash(String name) {
        int h = 0;
        for (int i = 0; i < name.length(); i++) {
            h = (h << 4) + name.charAt(i);
            int g = h & 0xf0000000;
            h = (h ^ (g >>> 24)) & ~g;
        }
        return h;
    }
}
