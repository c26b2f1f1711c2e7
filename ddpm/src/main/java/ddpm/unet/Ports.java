package ddpm.unet;

/**
 * What goes in and out of a network beside x_t, t and the prediction: any {@link UNetConfig} can have them.
 *
 * @param classes number of labels it can be told; 0 for none
 * @param given channels of a known image of the same size, joined to x_t, such as an earlier estimate
 * @param variances whether it also says a variance for every value, as further output channels
 */
public record Ports(int classes, int given, boolean variances) {
    /** Nothing more. */
    public static final Ports PLAIN = new Ports(0, 0, false);

    public Ports {
        if (classes < 0 || given < 0)
            throw new IllegalArgumentException(
                    "classes and given channels cannot be negative: " + classes + ", " + given);
    }
}
