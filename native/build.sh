#!/usr/bin/env bash
# Builds libddpm.so from src/main/cpp against the oneDNN headers and libraries in target/onednn.
# A source is compiled again when it, a header or this script is newer than its object, everything with another compiler or
# oneDNN. kernels_*.cpp become an object for each variant: floats with AVX2, floats with AVX-512, bfloat16 with AVX-512; the
# library chooses. Beside it libddpm_settings.so, from settings/, which must be loaded before libgomp.
# Without a compiler, or on another platform, the build goes on without the library: the backend "cpu" then says that it is
# missing. A second build in the same checkout waits for the first.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

if [[ "$(uname -sm)" != "Linux x86_64" ]]; then
  echo "libddpm: not built, it exists for Linux x86_64 only and this is $(uname -sm)"
  exit 0
fi
compiler=${CXX:-g++}
if ! command -v "$compiler" >/dev/null; then
  echo "libddpm: not built, there is no $compiler; install it and build again to compute on the backend \"cpu\""
  exit 0
fi

onednn=target/onednn/org/bytedeco/dnnl/linux-x86_64
objects=target/native-objects
out=target/classes/nativelib/linux-x86_64/libddpm.so
java_home=${JAVA_HOME:-$(dirname "$(dirname "$(readlink -f "$(command -v javac)")")")}
common=(-std=c++17 -O3 -fPIC -fopenmp -Wall -Wextra -Werror -fno-math-errno -fno-trapping-math -fvisibility=hidden
        -Isrc/main/cpp -Itarget/native-include "-I$onednn/include" "-I$java_home/include" "-I$java_home/include/linux")
avx2=(-mavx2 -mfma -fsingle-precision-constant -DVARIANT=avx2)
wide=(-mavx512f -mavx512bw -mavx512dq -mavx512vl -mavx2 -mfma -mprefer-vector-width=512 -fsingle-precision-constant)
mkdir -p "$objects" "$(dirname "$out")"
exec {lock}>"$objects/lock"
if command -v flock >/dev/null; then flock "$lock"; fi # a second build in the same checkout waits for the first

newest() { # the file changed last among those named *.h and *.def in these folders
  find "$@" \( -name '*.h' -o -name '*.def' \) -printf '%T@ %p\n' | sort -n | tail -1 | cut -d' ' -f2-
}
our_header=$(newest src/main/cpp)
jni_header=$(newest target/native-include) # written by javac; only jni_*.cpp include these
made_with=$objects/made-with               # oneDNN's own headers are as old as their release, so their version is kept here
tools=$("$compiler" --version; grep -h '#define' "$onednn"/include/oneapi/dnnl/dnnl_version*.h)
[[ -e $made_with && $(<"$made_with") == "$tools" ]] || echo "$tools" >"$made_with"

wanted=()   # the objects of this build
commands=() # one line each: how to make an object that is out of date
object() {  # object NAME SOURCE FLAGS...
  local name=$1 source=$2 o=$objects/$1.o
  shift 2
  wanted+=("$o")
  if [[ ! -e $o || $source -nt $o || $our_header -nt $o || build.sh -nt $o || $made_with -nt $o ||
    ($name == jni_* && $jni_header -nt $o) ]]; then
    commands+=("$(printf '%q ' "$compiler" "${common[@]}" "$@" -c "$source" -o "$o.new") && mv $o.new $o")
  fi
}
for source in src/main/cpp/*.cpp; do
  [[ -e $source ]] || { echo "libddpm: src/main/cpp holds no sources"; exit 1; }
  name=$(basename "$source" .cpp)
  case $name in
    kernels_average) variants="avx2 avx512" ;; # floats only
    kernels_cast | kernels_pixels) variants="bf16" ;;
    kernels_*) variants="avx2 avx512 bf16" ;;
    *) variants="" && object "$name" "$source" ;;
  esac
  halves=(-DVARIANT=bf16)
  case $name in
    kernels_winograd | kernels_pixels | kernels_attention | kernels_linear_attention)
      halves+=(-mavx512bf16) ;; # called only where the processor has it
  esac
  for variant in $variants; do
    case $variant in
      avx2) object "$name.$variant" "$source" "${avx2[@]}" ;;
      bf16) object "$name.$variant" "$source" "${wide[@]}" "${halves[@]}" ;;
      *) object "$name.$variant" "$source" "${wide[@]}" -DVARIANT=avx512 ;;
    esac
  done
done

if ((${#commands[@]})); then
  printf '%s\0' "${commands[@]}" | xargs -0 -P 2 -I{} bash -c '{}'
fi
for o in "${wanted[@]}"; do # code of several variants must define nothing twice: the linker would keep any one
  if [[ $o == *.avx* || $o == *.bf16.o ]] && nm -C "$o" | grep ' [Wu] '; then
    echo "libddpm: $o defines the inline functions above; the AVX2 half of the library could end up with AVX-512 code"
    exit 1
  fi
done

settings=src/main/cpp/settings/openmp.cpp
settings_out=$(dirname "$out")/libddpm_settings.so
if [[ $settings -nt $settings_out || build.sh -nt $settings_out || $made_with -nt $settings_out ]]; then
  "$compiler" -std=c++17 -O2 -fPIC -Wall -Wextra -Werror -shared -o "$settings_out.new" "$settings" -Wl,-z,noexecstack
  mv "$settings_out.new" "$settings_out"
fi

stale=0
[[ -e $out ]] || stale=1
for o in "$objects"/*.o; do # the object of a source that is gone
  [[ " ${wanted[*]} " == *" $o "* ]] || { rm "$o"; stale=1; }
done
for o in "${wanted[@]}"; do [[ $o -nt $out ]] && stale=1; done
if ((stale)); then
  # libgomp and libdnnl by name from the same folder: one OpenMP runtime in the process, the one oneDNN brings along
  "$compiler" -shared -o "$out.new" "${wanted[@]}" -L"$onednn" -l:libdnnl.so.3 -l:libgomp.so.1 \
    -Wl,-rpath,'$ORIGIN' -Wl,--no-undefined -Wl,-z,noexecstack
  mv "$out.new" "$out"
  echo "libddpm: built with $("$compiler" -dumpfullversion) from ${#wanted[@]} objects, ${#commands[@]} of them compiled"
fi
