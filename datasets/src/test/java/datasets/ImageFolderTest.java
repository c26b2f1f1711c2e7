package datasets;

import static datasets.Fixtures.refuses;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.awt.Transparency;
import java.awt.color.ColorSpace;
import java.awt.image.BufferedImage;
import java.awt.image.ColorModel;
import java.awt.image.ComponentColorModel;
import java.awt.image.DataBuffer;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Random;
import java.util.zip.CRC32;
import javax.imageio.ImageIO;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class ImageFolderTest {
    @TempDir
    Path folder;

    private Path save(String name, BufferedImage image) throws IOException {
        Path file = folder.resolve(name);
        Files.createDirectories(file.getParent());
        String format = name.substring(name.lastIndexOf('.') + 1);
        assertTrue(ImageIO.write(image, format, file.toFile()), format);
        return file;
    }

    private static BufferedImage plain(int width, int height, int type, int argb) {
        BufferedImage image = new BufferedImage(width, height, type);
        for (int y = 0; y < height; y++) {
            for (int x = 0; x < width; x++) {
                image.setRGB(x, y, argb);
            }
        }
        return image;
    }

    private static BufferedImage grey(int type, int value) {
        BufferedImage image = new BufferedImage(5, 4, type);
        int[] row = new int[20];
        Arrays.fill(row, type == BufferedImage.TYPE_USHORT_GRAY ? value * 257 : value);
        image.getRaster().setSamples(0, 0, 5, 4, 0, row);
        return image;
    }

    @ParameterizedTest
    @CsvSource({"png, 0", "gif, 0", "bmp, 0", "jpg, 4"})
    void everyFormatKeepsItsColour(String format, int tolerance) throws IOException {
        save("a." + format, plain(8, 8, BufferedImage.TYPE_INT_RGB, 0x204080));
        Dataset set = ImageFolder.load(folder, 8, 8);
        assertEquals(3, set.channels());
        byte[] pixels = set.pixels(0);
        assertEquals(0x20, pixels[0] & 0xFF, tolerance);
        assertEquals(0x40, pixels[1] & 0xFF, tolerance);
        assertEquals(0x80, pixels[2] & 0xFF, tolerance);
    }

    @ParameterizedTest
    @ValueSource(ints = {BufferedImage.TYPE_BYTE_GRAY, BufferedImage.TYPE_USHORT_GRAY})
    void storedGreyIsNotBrightened(int type) throws IOException {
        save("a.png", grey(type, 128));
        Dataset set = ImageFolder.load(folder, 4, 5);
        assertEquals(1, set.channels(), "all pictures are grey");
        assertEquals((byte) 128, set.pixels(0)[0]);
        assertEquals(3, ImageFolder.load(folder, 4, 5, 3).channels());
    }

    @Test
    void otherColourSpacesBecomeSrgb() {
        ColorSpace linear = ColorSpace.getInstance(ColorSpace.CS_LINEAR_RGB);
        ColorModel model = new ComponentColorModel(linear, false, false, Transparency.OPAQUE, DataBuffer.TYPE_BYTE);
        BufferedImage image = new BufferedImage(model, model.createCompatibleWritableRaster(1, 1), false, null);
        image.getRaster().setPixel(0, 0, new int[] {0, 128, 255});
        byte[] rgb = Picture.of(image).rgb();
        assertEquals(0, rgb[0] & 0xFF);
        assertEquals(188, rgb[1] & 0xFF, 1, "255 · (1.055 · (128/255)^(1/2.4) − 0.055)");
        assertEquals(255, rgb[2] & 0xFF);
    }

    @Test
    void oneColouredPictureMakesTheSetColoured() throws IOException {
        save("a.png", grey(BufferedImage.TYPE_BYTE_GRAY, 128));
        save("b.png", plain(5, 4, BufferedImage.TYPE_INT_RGB, 0xFF0000));
        Dataset colour = ImageFolder.load(folder, 4, 4);
        assertEquals(3, colour.channels());
        assertArrayEquals(new byte[] {(byte) 128, (byte) 128, (byte) 128}, Arrays.copyOf(colour.pixels(0), 3));
        Dataset luma = ImageFolder.load(folder, 4, 4, 1);
        assertEquals((byte) 128, luma.pixels(0)[0]);
        assertEquals(76, luma.pixels(1)[0], "0.299 · 255");
    }

    @ParameterizedTest
    @CsvSource({"0, 255", "255, 0", "128, 127"})
    void transparencyShowsWhite(int alpha, int expected) throws IOException {
        save("a.png", plain(6, 6, BufferedImage.TYPE_INT_ARGB, alpha << 24));
        assertEquals(expected, ImageFolder.load(folder, 6, 6).pixels(0)[0] & 0xFF);
    }

    @Test
    void linksStandForTheFoldersBehindThem() throws IOException {
        save("disk/cat/1.png", plain(3, 3, BufferedImage.TYPE_INT_RGB, 0x010101));
        save("disk/dog/2.png", plain(3, 3, BufferedImage.TYPE_INT_RGB, 0x020202));
        Path link = Files.createSymbolicLink(folder.resolve("link"), folder.resolve("disk"));
        assertEquals(2, ImageFolder.load(link, 3, 3).size(), "the folder itself");
        Path chosen = Files.createDirectory(folder.resolve("chosen"));
        Files.createSymbolicLink(chosen.resolve("cats"), folder.resolve("disk/cat"));
        Dataset set = ImageFolder.load(chosen, 3, 3);
        assertEquals(1, set.size(), "a class");
        assertEquals(0, set.label(0));
        Files.createSymbolicLink(folder.resolve("disk/loop"), folder.resolve("disk"));
        refuses(() -> ImageFolder.load(link, 3, 3), "cannot be listed");
    }

    @Test
    void picturesComeInOrderOfTheirPathsAndSubfoldersAreClasses() throws IOException {
        save("cat/2.png", plain(3, 3, BufferedImage.TYPE_INT_RGB, 0x020202));
        save("ant/deep/9.PNG", plain(3, 3, BufferedImage.TYPE_INT_RGB, 0x010101));
        save("cat/10.png", plain(3, 3, BufferedImage.TYPE_INT_RGB, 0x030303));
        save("top.png", plain(3, 3, BufferedImage.TYPE_INT_RGB, 0x040404));
        Files.writeString(folder.resolve("notes.txt"), "not a picture");
        Files.writeString(folder.resolve(".hidden.png"), "not a picture");
        save(".thumbnails/cat.png", plain(1, 1, BufferedImage.TYPE_INT_RGB, 0x030303));
        save("cat/.ipynb_checkpoints/2.png", plain(1, 1, BufferedImage.TYPE_INT_RGB, 0x020202));
        Dataset set = ImageFolder.load(folder, 3, 3);
        assertEquals(4, set.size());
        int[] first = {1, 3, 2, 4};
        int[] labels = {0, 1, 1, -1};
        for (int i = 0; i < 4; i++) {
            assertEquals(first[i], set.pixels(i)[0]);
            assertEquals(labels[i], set.label(i));
        }
        assertTrue(set.description().contains("4 x 1x3x3 from " + folder), set.description());
    }

    @Test
    void anySizeBecomesTheOneAskedFor() throws IOException {
        BufferedImage wide = plain(40, 10, BufferedImage.TYPE_INT_RGB, 0);
        for (int y = 0; y < 10; y++) {
            for (int x = 15; x < 25; x++) {
                wide.setRGB(x, y, 0xFFFFFF);
            }
        }
        save("wide.png", wide);
        save("tall.png", plain(3, 50, BufferedImage.TYPE_INT_RGB, 0xFFFFFF));
        Dataset set = ImageFolder.load(folder, 5, 5);
        for (int i = 0; i < 2; i++) {
            for (byte v : set.pixels(i)) {
                assertEquals((byte) 255, v);
            }
        }
        assertEquals(7 * 13, ImageFolder.load(folder, 7, 13).values());
    }

    @Test
    void anythingUndecodableIsNamed() throws IOException {
        Path file = folder.resolve("broken.png");
        refuses(() -> ImageFolder.load(folder, 4, 4), folder.toString(), "no pictures", ".png");
        refuses(() -> ImageFolder.load(folder.resolve("absent"), 4, 4), "no such folder");
        refuses(() -> ImageFolder.load(folder, 0, 4), "size asked for", "0x4");
        refuses(() -> ImageFolder.load(folder, 4, 4, 2), "2 channels");
        Files.write(file, new byte[0]);
        refuses(() -> ImageFolder.load(folder, 4, 4), file.toString(), "format", "none of them");
        Files.write(file, new byte[200]);
        refuses(() -> ImageFolder.load(folder, 4, 4), file.toString(), "format", "none of them");
    }

    @Test
    void aPictureOfTwoToThe60PixelsIsRefusedByItsHeader() throws IOException {
        Path file = save("bomb.png", plain(4, 4, BufferedImage.TYPE_INT_RGB, 0));
        byte[] png = Files.readAllBytes(file);
        ByteBuffer.wrap(png, 16, 8).putInt(1 << 30).putInt(1 << 30);
        CRC32 crc = new CRC32();
        crc.update(png, 12, 17);
        ByteBuffer.wrap(png, 29, 4).putInt((int) crc.getValue());
        Files.write(file, png);
        refuses(() -> ImageFolder.load(folder, 4, 4), file.toString(), "size", "1073741824x1073741824");
    }

    @ParameterizedTest
    @ValueSource(strings = {"png", "jpg", "gif", "bmp"})
    void aMutatedPictureIsRefusedInOneSentenceOrLoads(String format) throws IOException {
        BufferedImage image = new BufferedImage(24, 16, BufferedImage.TYPE_INT_RGB);
        Random random = new Random(3);
        for (int y = 0; y < 16; y++) {
            for (int x = 0; x < 24; x++) {
                image.setRGB(x, y, random.nextInt(8) * 0x1F1F07);
            }
        }
        Path file = save("a." + format, image);
        byte[] intact = Files.readAllBytes(file);
        for (int round = 0; round < 100; round++) {
            byte[] bytes = intact.clone();
            int at = random.nextInt(bytes.length);
            if (round % 2 == 0) {
                bytes[at] = (byte) random.nextInt();
            } else {
                bytes = Arrays.copyOf(bytes, at);
            }
            Files.write(file, bytes);
            try {
                assertEquals(1, ImageFolder.load(folder, 8, 8).size());
            } catch (DatasetException e) {
                assertTrue(e.getMessage().startsWith(file.toString()), e.getMessage());
            }
        }
    }
}
