/**
 * <b>7d Judging.</b> How good is a model?
 *
 * <p>Two questions. <em>How well does it know the data?</em> {@link ddpm.evaluate.TimestepLosses}: its error at every
 * timestep, and from that a bound on the bits that a picture costs. <em>How good do its pictures look?</em> They and real
 * ones are looked at through a small {@link ddpm.evaluate.Classifier} that this project trains itself, and the two clouds
 * of features are compared: {@link ddpm.evaluate.FeatureStatistics} (FID: as Gaussians),
 * {@link ddpm.evaluate.KernelDistance} (KID: without bias at few samples), {@link ddpm.evaluate.PrecisionRecall} (are they
 * real, is every kind there).
 *
 * <p>The same {@link ddpm.evaluate.ClassifierTraining} makes the classifiers of noisy images that guide sampling;
 * {@link ddpm.evaluate.NoisyAccuracy} says how often those are right.
 *
 * <p>Invariants: FID, KID, precision and recall stand with N and the reference; FID also with the floor, which is what as
 * many real training images score against the same reference, where there are as many on the machine; below 1,000 images
 * there is no FID. Such numbers compare models under one classifier and nothing else.
 *
 * <p>Not here, because: the features of networks trained on other pictures say little about these.
 */
package ddpm.evaluate;
