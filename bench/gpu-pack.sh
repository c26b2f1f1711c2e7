#!/usr/bin/env bash
# Packs the GPU tests for a machine that has a driver, cuBLAS and cuDNN and nothing else of ours: no Maven, no network, no
# JDK. Makes bench/target/gpu-pack and, unless told --folder, gpu-pack.tar.xz beside it: a small Java, the classes with 10,000
# images of Fashion-MNIST among them, JCuda and its bridges, the kernels, JMH, PyTorch's networks. There:
#   ./run-gpu-tests [FOLDER] [--small] [--checks | --times | --sanitize]     all of it, see gpu-tests.sh
#   ./run-gpu-benchmarks [FOLDER] [--gate] [--small]            JMH alone, see bench.gpu.GpuBenchmarks
# Needs the project compiled (mvn -pl bench -am package -DskipTests).
set -euo pipefail
top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
java_home=${JAVA_HOME:-$(dirname "$(dirname "$(readlink -f "$(command -v javac)")")")}
pack=$top/bench/target/gpu-pack

rm -rf "$pack" "$pack.tar.xz"
mkdir -p "$pack/lib" "$pack/natives/lib"
"$java_home/bin/jlink" --add-modules java.base,java.desktop,java.logging,java.management,java.xml,jdk.unsupported \
  --strip-debug --no-header-files --no-man-pages --output "$pack/java"

# our classes; without libddpm.so, which needs oneDNN: the processor's losses come along in a file
for module in native tensor autograd datasets ddpm bench; do
  [[ -d $top/$module/target/classes ]] || { echo "gpu-pack: $module is not compiled: mvn -pl bench -am package -DskipTests"; exit 1; }
  (cd "$top/$module/target/classes" && find . -type f ! -name '*.so' > "$pack/files" &&
    "$java_home/bin/jar" cf "$pack/lib/$module.jar" "@$pack/files")
done
rm "$pack/files"

# what they need, from where Maven has it
classpath=$top/bench/target/classpath.txt
library() { # the file whose name is this and a version
  tr ':' '\n' <"$classpath" | grep "/$1-[0-9.]*\(-linux-x86_64\)\?\.jar$" || { echo "gpu-pack: no $1 in $classpath" >&2; return 1; }
}
for name in jcuda jcublas jcudnn picocli jmh-core jopt-simple commons-math3; do
  file=$(library "$name")
  cp "$file" "$pack/lib/"
done
# of JCuda's natives the three bridges only: the compiler among them has 24 MB
for bridge in jcuda:JCudaDriver jcublas:JCublas2 jcudnn:JCudnn; do
  file=$(library "${bridge%%:*}-natives")
  version=${file%-linux-x86_64.jar}
  (cd "$pack/natives" && "$java_home/bin/jar" xf "$file" "lib/lib${bridge##*:}-${version##*-}-linux-x86_64.so")
done
"$java_home/bin/jar" cf "$pack/lib/natives.jar" -C "$pack/natives" lib
rm -r "$pack/natives"
cp "$top/bench/gpu-gate.json" "$top/bench/torch_convolutions.py" "$top/bench/torch_steps.py" "$top/LICENSE" "$top/NOTICE" "$pack/"
cp "$top"/native/src/main/resources/nativelib/cuda/kernels_*.ptx "$pack/"
kernels=$top/native/target/stand-ins/kernel_test # without the stand-ins beside it, it finds the driver
[[ -x $kernels ]] || { echo "gpu-pack: the kernels' own tests are not built: compile the project where there is a g++"; exit 1; }
cp "$kernels" "$pack/"
git -C "$top" describe --always --dirty >"$pack/commit" 2>/dev/null || echo unknown >"$pack/commit"

cp "$top/bench/gpu-tests.sh" "$pack/run-gpu-tests"
cat > "$pack/run-gpu-benchmarks" <<'RUN'
#!/usr/bin/env bash
# Runs the benchmarks on this machine: ./run-gpu-benchmarks [FOLDER] [--gate] [--small] [--slow TEXT]
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
exec "$here/java/bin/java" -Xmx4g --enable-native-access=ALL-UNNAMED -Djmh.ignoreLock=true \
  -Djmh.blackhole.autoDetect=false -cp "$here/lib/*" bench.gpu.GpuBenchmarks --floors "$here/gpu-gate.json" "$@"
RUN
chmod +x "$pack"/run-gpu-*
echo "gpu-pack: $pack, $(du -sm "$pack" | cut -f1) MB"
[[ ${1:-} == --folder ]] && exit
tar -C "$(dirname "$pack")" -c gpu-pack | xz -T2 -6 > "$pack.tar.xz"
echo "gpu-pack: $pack.tar.xz, $(($(stat -c %s "$pack.tar.xz") / 1000000)) MB"
