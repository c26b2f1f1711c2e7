#!/usr/bin/env bash
# Runs a program of this module: bench/run.sh Profile annotated-resnet --batch 128. Builds what is out of date first.
# RIVALS=1, which Results implies, takes the build with libtorch in it and fetches that once (310 MB); HEAP sets the Java heap
# (512m); JAVA_OPTS adds options.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
program=$1
shift
[[ $program != Results ]] || RIVALS=1
target=$PWD/bench/target
profile=()
if [[ -n ${RIVALS:-} ]]; then
  target=$target/rivals
  profile=(-Privals)
fi
build=(mvn -q -B "${profile[@]}" -pl bench -am process-classes)
"${build[@]}" --offline >/dev/null || "${build[@]}" >&2
# shellcheck disable=SC2086
exec java "-Xmx${HEAP:-512m}" -XX:+UseSerialGC --enable-native-access=ALL-UNNAMED ${JAVA_OPTS:-} \
  -cp "$target/classes:$(cat "$target/classpath.txt")" "bench.$program" "$@"
