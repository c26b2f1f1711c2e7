package ddpm.report;

import ddpm.io.WholeFile;
import java.awt.image.BufferedImage;
import java.awt.image.IndexColorModel;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import javax.imageio.IIOImage;
import javax.imageio.ImageIO;
import javax.imageio.ImageTypeSpecifier;
import javax.imageio.ImageWriter;
import javax.imageio.metadata.IIOMetadata;
import javax.imageio.metadata.IIOMetadataNode;
import javax.imageio.stream.ImageOutputStream;

/** A GIF that loops for ever and rests on its last frame. Grey is exact; RGB uses one {@link Palette} for all frames. */
public final class AnimatedGif {
    private static final String FORMAT = "javax_imageio_gif_image_1.0";

    private AnimatedGif() {}

    /**
     * Writes the file, whole or not at all.
     *
     * @param frames at least one, all of one size
     * @param delay time between frames in ms, a multiple of 10
     * @param rest time on the last frame in ms
     */
    public static void write(Path file, List<Picture> frames, int delay, int rest) throws IOException {
        Palette palette = Palette.of(frames);
        byte[][] c = palette.colours();
        IndexColorModel model = new IndexColorModel(8, 256, c[0], c[1], c[2]);
        ImageWriter writer = ImageIO.getImageWritersByFormatName("gif").next();
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        try (ImageOutputStream stream = ImageIO.createImageOutputStream(bytes)) {
            writer.setOutput(stream);
            writer.prepareWriteSequence(null);
            for (int i = 0; i < frames.size(); i++) {
                Picture frame = frames.get(i);
                BufferedImage image =
                        new BufferedImage(frame.width(), frame.height(), BufferedImage.TYPE_BYTE_INDEXED, model);
                image.getRaster().setDataElements(0, 0, frame.width(), frame.height(), palette.indices(frame));
                int shown = i == frames.size() - 1 ? rest : delay;
                writer.writeToSequence(new IIOImage(image, null, metadata(writer, image, shown, i == 0)), null);
            }
            writer.endWriteSequence();
        } finally {
            writer.dispose();
        }
        WholeFile.write(file, bytes.toByteArray());
    }

    private static IIOMetadata metadata(ImageWriter writer, BufferedImage image, int shown, boolean first)
            throws IOException {
        IIOMetadata metadata = writer.getDefaultImageMetadata(new ImageTypeSpecifier(image), null);
        IIOMetadataNode root = (IIOMetadataNode) metadata.getAsTree(FORMAT);
        IIOMetadataNode control = child(root, "GraphicControlExtension");
        control.setAttribute("disposalMethod", "none");
        control.setAttribute("userInputFlag", "FALSE");
        control.setAttribute("transparentColorFlag", "FALSE");
        control.setAttribute("transparentColorIndex", "0");
        control.setAttribute("delayTime", Integer.toString(shown / 10));
        child(root, "ImageDescriptor").setAttribute("interlaceFlag", "FALSE");
        if (first) {
            IIOMetadataNode loop = new IIOMetadataNode("ApplicationExtension");
            loop.setAttribute("applicationID", "NETSCAPE");
            loop.setAttribute("authenticationCode", "2.0");
            loop.setUserObject(new byte[] {1, 0, 0}); // 0 repetitions: for ever
            child(root, "ApplicationExtensions").appendChild(loop);
        }
        metadata.setFromTree(FORMAT, root);
        return metadata;
    }

    private static IIOMetadataNode child(IIOMetadataNode root, String name) {
        for (int i = 0; i < root.getLength(); i++)
            if (root.item(i).getNodeName().equals(name)) return (IIOMetadataNode) root.item(i);
        IIOMetadataNode node = new IIOMetadataNode(name);
        root.appendChild(node);
        return node;
    }
}
