/**
 * <b>8 Measuring speed.</b> How fast is it, against what, and why? A time alone says little; every figure here stands beside
 * a rival's, taken in the same run on the same machine, and beside what the machine could do at most.
 *
 * <p>The rival is libtorch, PyTorch's C++ library. It is large, so only the profile {@code rivals} fetches it: the package
 * {@code bench.libtorch} lies in {@code src/rivals/java}, tests that need it in {@code src/rivals-test/java}, and a plain
 * build compiles neither.
 *
 * <p>Invariants: nothing depends on this module; what it measures is what others run, so no product code knows that it is
 * being measured.
 */
package bench;
