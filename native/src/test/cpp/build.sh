#!/usr/bin/env bash
# Builds the CPU stand-ins for libcuda, libcublas and libcudnn, and our kernels compiled for the CPU, into
#   target/stand-ins/cuda12   as on a host with CUDA 12        target/stand-ins/cuda13   as on one with only CUDA 13
# and the programs kernel_test, stand_in_test and library_test, which are tests of these and run from CudaKernelsTest.
# A test process that finds one of these folders first in LD_LIBRARY_PATH believes that it has a GPU.
# What is up to date is left alone. Without a compiler, or on another platform, nothing is built and tests are skipped.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../../.."

if [[ "$(uname -sm)" != "Linux x86_64" ]]; then
  echo "stand-ins for CUDA: not built, they exist for Linux x86_64 only and this is $(uname -sm)"
  exit 0
fi
compiler=${CXX:-g++}
if ! command -v "$compiler" >/dev/null; then
  echo "stand-ins for CUDA: not built, there is no $compiler; the tests of the backend \"cuda\" will be skipped"
  exit 0
fi

from=src/test/cpp
out=target/stand-ins
common=(-std=c++17 -O2 -fPIC -shared -Wall -Wextra -Werror -fvisibility=hidden -fno-strict-aliasing "-Wl,-rpath,\$ORIGIN")
mkdir -p "$out/cuda12" "$out/cuda13"
exec {lock}>"$out/lock" # a second build in the same checkout waits for the first
if command -v flock >/dev/null; then flock "$lock"; fi

make() { # make TARGET SOURCES... -- FLAGS...
  local target=$1 sources=() newest
  shift
  while [[ $1 != -- ]]; do
    sources+=("$1")
    shift
  done
  shift
  newest=$(ls -t "${sources[@]}" $from/*.h $from/build.sh | head -1)
  [[ -e $out/$target && ! $newest -nt $out/$target ]] && return
  "$compiler" "${common[@]}" "$@" -o "$out/$target.new" "${sources[@]}" $LINK
  mv "$out/$target.new" "$out/$target"
}

# -Wno-sign-compare, -Wno-unknown-pragmas: the kernels are written for nvcc
kernels=(-I$from -Isrc/main/cuda -Wno-sign-compare -Wno-unknown-pragmas)
# sums may be reordered, so that they can be vectorised; NaN and infinity keep their meaning
sums=(-O3 -march=native -fassociative-math -fno-signed-zeros -fno-trapping-math -fno-math-errno)
sources=(src/main/cuda/*.cu src/main/cuda/*.h src/main/cpp/pointwise.def)

LINK=-ldl make cuda12/libcuda.so.1 $from/fake_{cuda,memory,streams,modules}.cpp -- -Wl,-soname,libcuda.so.1 "-Wl,--version-script=$from/cuda.map"
for module in f32 bf16; do
  target=cuda12/libkernels_$module.so
  newest=$(ls -t $from/kernels_on_cpu.cpp $from/emu.h $from/kernel_registry.h "${sources[@]}" | head -1)
  if [[ ! -e $out/$target || $newest -nt $out/$target ]]; then
    flags=()
    [[ $module == bf16 ]] && flags=(-DKERNELS_BF16)
    "$compiler" "${common[@]}" "${kernels[@]}" "${flags[@]}" -o "$out/$target.new" $from/kernels_on_cpu.cpp &
  fi
done
wait
for module in f32 bf16; do
  target=$out/cuda12/libkernels_$module.so
  [[ -e $target.new ]] && mv "$target.new" "$target"
  [[ -e $target ]] || { echo "stand-ins for CUDA: the kernels do not compile"; exit 1; }
done
LINK=$out/cuda12/libcuda.so.1
make cuda12/libcudnn.so.9 $from/fake_dnn.cpp $from/fake_dnn_convolution.cpp -- "${sums[@]}" -Wl,-soname,libcudnn.so.9 \
  "-Wl,--version-script=$from/dnn.map"
for version in 12 13; do
  make cuda$version/libcublas.so.$version $from/fake_blas.cpp -- "${sums[@]}" -Wl,-soname,libcublas.so.$version \
    "-Wl,--version-script=$from/blas$version.map" -DFAKE_VERSION=${version}0603
done
tests=(-std=c++17 -O2 -Wall -Wextra -Werror -I$from -Isrc/main/cuda "-Wl,-rpath,\$ORIGIN/cuda12")
test_program() { # test_program NAME SOURCES...
  local name=$1 newest
  shift
  newest=$(ls -t "$@" $from/*.h $from/build.sh src/main/cuda/kernels.h src/main/cpp/pointwise.def | head -1)
  [[ -e $out/$name && ! $newest -nt $out/$name ]] && return
  "$compiler" "${tests[@]}" -o "$out/$name.new" "$@" $LINK
  mv "$out/$name.new" "$out/$name"
}
test_program kernel_test $from/kernel_test.cpp $from/kernel_test_{layers,depthwise,narrow,enlarged,batch_last}.cpp
test_program stand_in_test $from/stand_in_test.cpp
LINK="$LINK $out/cuda12/libcudnn.so.9 $out/cuda12/libcublas.so.12" test_program library_test $from/library_test.cpp
for file in libcuda.so.1 libcudnn.so.9 libkernels_f32.so libkernels_bf16.so; do
  ln -sf "../cuda12/$file" "$out/cuda13/$file"
done
