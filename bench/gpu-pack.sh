#!/usr/bin/env bash
# Packs the GPU tests for a machine that has a driver, cuBLAS and cuDNN and nothing else of ours: no Maven, no network, no
# JDK. Makes bench/target/gpu-pack (and gpu-pack.tar.xz beside it): a small Java, the classes, JCuda and its bridges, the
# kernels, JMH, the rival torch_steps.py, and run-gpu-tests and run-gpu-benchmarks. There: ./run-gpu-tests [FOLDER] [--small] [--checks | --times];
# the report lies in FOLDER (gpu-report), --times only measures. And ./run-gpu-benchmarks [FOLDER] [--gate] [--small]; benchmarks.json and benchmarks.md lie there.
# ./run-gpu-peers does all of it in one call, beside PyTorch.
# Needs the project compiled (mvn -pl bench -am package -DskipTests).
set -euo pipefail
top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
java_home=${JAVA_HOME:-$(dirname "$(dirname "$(readlink -f "$(command -v javac)")")")}
repository=${MAVEN_REPOSITORY:-$HOME/.m2/repository}
version=$(sed -n 's:.*<jcuda.version>\(.*\)</jcuda.version>.*:\1:p' "$top/pom.xml")
dnn=$(sed -n 's:.*<jcudnn.version>\(.*\)</jcudnn.version>.*:\1:p' "$top/pom.xml")
picocli=$(sed -n 's:.*<picocli.version>\(.*\)</picocli.version>.*:\1:p' "$top/pom.xml")
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

jcuda=$repository/org/jcuda
cp "$jcuda/jcuda/$version/jcuda-$version.jar" "$jcuda/jcublas/$version/jcublas-$version.jar" \
  "$jcuda/jcudnn/$dnn/jcudnn-$dnn.jar" "$repository/info/picocli/picocli/$picocli/picocli-$picocli.jar" "$pack/lib/"
# what JMH needs
jmh=$(sed -n 's:.*<jmh.version>\(.*\)</jmh.version>.*:\1:p' "$top/bench/pom.xml")
cp "$repository/org/openjdk/jmh/jmh-core/$jmh/jmh-core-$jmh.jar" \
  "$repository"/net/sf/jopt-simple/jopt-simple/*/jopt-simple-*.jar \
  "$repository"/org/apache/commons/commons-math3/*/commons-math3-*.jar "$pack/lib/"
# of JCuda's natives the three bridges only: the compiler among them has 24 MB
for bridge in jcuda:JCudaDriver jcublas:JCublas2 jcudnn:JCudnn; do
  (cd "$pack/natives" && "$java_home/bin/jar" xf \
    "$jcuda/${bridge%%:*}-natives/$version/${bridge%%:*}-natives-$version-linux-x86_64.jar" \
    "lib/lib${bridge##*:}-$version-linux-x86_64.so")
done
"$java_home/bin/jar" cf "$pack/lib/natives.jar" -C "$pack/natives" lib
rm -r "$pack/natives"
cp "$top/bench/gpu-gate.json" "$top/bench/torch_convolutions.py" "$top/bench/torch_steps.py" "$top/LICENSE" "$top/NOTICE" "$pack/"

cat > "$pack/run-gpu-tests" <<'RUN'
#!/usr/bin/env bash
# Runs the GPU tests on this machine: ./run-gpu-tests [FOLDER] [--small] [--checks | --times]
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
command -v nvidia-smi >/dev/null && nvidia-smi --query-gpu=name,driver_version,memory.total --format=csv,noheader || true
exec "$here/java/bin/java" -Xmx4g -Djava.awt.headless=true --enable-native-access=ALL-UNNAMED \
  -Dgpu.tests.torch="$here/torch_convolutions.py" -cp "$here/lib/*" bench.GpuTests "$@"
RUN
cat > "$pack/run-gpu-benchmarks" <<'RUN'
#!/usr/bin/env bash
# Runs the benchmarks on this machine: ./run-gpu-benchmarks [FOLDER] [--gate] [--small] [--slow TEXT]
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
command -v nvidia-smi >/dev/null && nvidia-smi --query-gpu=name,driver_version,memory.total --format=csv,noheader || true
exec "$here/java/bin/java" -Xmx4g --enable-native-access=ALL-UNNAMED -Djmh.ignoreLock=true \
  -Djmh.blackhole.autoDetect=false -cp "$here/lib/*" bench.gpu.GpuBenchmarks --floors "$here/gpu-gate.json" "$@"
RUN
cp "$top/bench/gpu-peers.sh" "$pack/run-gpu-peers"
chmod +x "$pack"/run-gpu-*
tar -C "$(dirname "$pack")" -c gpu-pack | xz -T2 -6 > "$pack.tar.xz"
echo "gpu-pack: $pack, $(du -sm "$pack" | cut -f1) MB; $pack.tar.xz, $(($(stat -c %s "$pack.tar.xz") / 1000000)) MB"
