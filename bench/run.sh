#!/usr/bin/env bash
# Runs a program of this module: bench/run.sh Profile annotated-resnet --batch 128. Builds what is out of date first.
# RIVALS=1 takes the build with libtorch in it; HEAP sets the Java heap (512m).
set -euo pipefail
top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
program=$1
shift
target=$top/bench/target
profile=()
if [[ -n ${RIVALS:-} ]]; then
  target=$target/rivals
  profile=(-Privals)
fi
(cd "$top" && mvn -q -B "${MAVEN_ARGS[@]---offline}" "${profile[@]}" -pl bench -am process-classes >&2) ||
  (cd "$top" && mvn -q -B "${profile[@]}" -pl bench -am process-classes >&2)
exec java "-Xmx${HEAP:-512m}" -XX:+UseSerialGC -XX:-UsePerfData --enable-native-access=ALL-UNNAMED \
  -cp "$target/classes:$(cat "$target/classpath.txt")" "bench.$program" "$@"
