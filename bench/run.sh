#!/usr/bin/env bash
# Runs a program of this module: bench/run.sh Profile annotated-resnet --batch 128. Builds what is out of date first.
# RIVALS=1 takes the build with libtorch in it and fetches that once (200 MB); HEAP sets the Java heap (512m); JAVA_OPTS
# adds options.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
program=$1
shift
target=$PWD/bench/target
profile=()
if [[ -n ${RIVALS:-} ]]; then
  target=$target/rivals
  profile=(-Privals)
fi
build=(mvn -q -B "${profile[@]}" -pl bench -am process-classes)
"${build[@]}" --offline >/dev/null || "${build[@]}" >&2
if [[ -n ${RIVALS:-} ]]; then
  export LD_LIBRARY_PATH=$target/libtorch${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH} OPENBLAS_NUM_THREADS=1
fi
# shellcheck disable=SC2086
exec java "-Xmx${HEAP:-512m}" -XX:+UseSerialGC --enable-native-access=ALL-UNNAMED ${JAVA_OPTS:-} \
  -cp "$target/classes:$(cat "$target/classpath.txt")" "bench.$program" "$@"
