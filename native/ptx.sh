#!/usr/bin/env bash
# Compiles src/main/cuda to PTX, the text that the driver of a GPU turns into its own code, from compute capability 7.5 on, and
# 8.0 for bfloat16, which older ones have no instructions for:
#   src/main/resources/nativelib/cuda/kernels_f32.ptx, kernels_bf16.ptx   and   sources.sha256, the hash of what they came from.
# They are checked in, so that neither build nor user needs nvcc; run this after every change of the sources.
#   ptx.sh            writes the files          ptx.sh DIRECTORY   writes them there instead (a test compares)
#   ptx.sh --hash     only prints the hash of the sources
# No fast math: division and square root are rounded as IEEE 754 asks, exp, log, erf and their kin are within two or three
# units in the last place, denormals are kept; a product and a sum may become one fused operation (nvcc's default).
# nvcc 13.0 writes ".version 9.0", which needs a driver of CUDA 13. Nothing in the kernels is newer than PTX 7.0, so the
# version is lowered to 7.0 (drivers from CUDA 11.0 on); ptxas checks that the text is valid at that version, for the oldest
# GPU and for Hopper. NVIDIA promises nothing about such an edit, hence the check.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

hash() { # names and contents of the sources, in a fixed order
  (cd src/main && LC_ALL=C sha256sum cpp/pointwise.def cuda/*.cu cuda/*.h) | sha256sum | cut -d' ' -f1
}
if [[ ${1:-} == --hash ]]; then
  hash
  exit 0
fi

out=${1:-src/main/resources/nativelib/cuda}
mkdir -p "$out"
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
compile() { # compile MODULE CAPABILITY FLAGS...
  local module=$1 oldest=$2 new=$scratch/$1.ptx
  shift 2
  nvcc -std=c++17 -ptx -arch=compute_$oldest "$@" -o "$new" src/main/cuda/module.cu
  grep -q '^\.version 9\.0$' "$new" || { echo "ptx.sh: this nvcc is not 13.0; use that one"; return 1; }
  { # the compiler's own comments name its build, ours the module; names of internal functions carry a hash of the folder
    # they were compiled in
    echo "// module kernels_$module: compiled by ptx.sh from src/main/cuda, version lowered from 9.0"
    sed -E -e '/^\/\//d' -e '/^$/d' -e 's/^\.version 9\.0$/.version 7.0/' \
      -e 's/_INTERNAL_[0-9a-f]{8}_/_INTERNAL_00000000_/g' "$new"
  } >"$scratch/kernels_$module.ptx"
  for processor in sm_$oldest sm_90; do # only whether it is valid: no need to optimise
    ptxas -O0 -arch=$processor -o "$scratch/$module.$processor" "$scratch/kernels_$module.ptx"
  done
}
compile f32 75 &
first=$!
compile bf16 80 -DKERNELS_BF16
wait $first
mv "$scratch"/kernels_*.ptx "$out/"
hash >"$out/sources.sha256"
