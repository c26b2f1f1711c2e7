#!/usr/bin/env bash
# The GPU tests in one call, for a machine that may be lent for minutes:
#   ./run-gpu-tests [FOLDER] [--small] [--checks | --times | --sanitize]
#   Where python3 can import torch, PyTorch's networks are compiled, each by a process of its own, and wait; our checks run
#   beside them; then, one after another and with nothing beside: our times, PyTorch's, the benchmarks with their gate.
# What is not compiled after WAIT seconds (240) is left out and named. FOLDER (gpu-report) gets report.md and report.json, and
# what they are made of: kernels.md, checks/ (with grids of samples), times/, torch.md, benchmarks/; written after each part, so that
# a call which is cut leaves them. About eight minutes on an H200; without PyTorch half of that. Ends with 0 if all parts did, with
# 7 where the first finds no GPU. --checks: the checks alone, where something else runs on the machine; --times: our times alone;
# --sanitize: every kernel under the tools of compute-sanitizer. The tiny shapes of --small have no floors, and no gate.
set -uo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
refuse() {
  echo "error: $1" >&2
  exit 2
}
out=gpu-report
[[ $# -gt 0 && $1 != --* ]] && { out=$1; shift; }
only= small=() gate=(--gate)
for option; do
  case $option in
    --small) small=(--small) gate=() ;;
    --checks | --times | --sanitize)
      [[ -z $only || $only == "$option" ]] || refuse "$only does nothing else, so $option is another call"
      only=$option
      ;;
    *) refuse "there is no option $option" ;;
  esac
done
if [[ $only == --sanitize ]]; then
  sanitizer=$(PATH=$PATH:/usr/local/cuda/bin command -v compute-sanitizer) || refuse "there is no compute-sanitizer, which comes with CUDA"
fi
mkdir -p "$out" && out=$(cd "$out" && pwd) || exit 1
rm -rf "$out"/{checks,times,benchmarks,kernels.md,kernels.txt,torch.md,report.md,report.json} # of a call before this one

scratch=$(mktemp -d)
begin=$SECONDS
say() { echo "[$((SECONDS - begin)) s] $*"; }
ours() { "$here/java/bin/java" -Xmx4g -Djava.awt.headless=true --enable-native-access=ALL-UNNAMED -cp "$here/lib/*" "$@"; }
statuses=()
ended() { # what, with which status
  say "$1: status $2"
  [[ $2 -ne 7 || ${#statuses[@]} -gt 0 ]] || exit 7
  statuses+=("$1=$2")
  report
}
report() { ours bench.gpu.GpuSummary "$out" "$(cat "$here/commit")" "${statuses[@]}"; }
if command -v nvidia-smi >/dev/null; then nvidia-smi --query-gpu=name,driver_version,memory.total --format=csv,noheader; fi

# mode, presets, precisions, how many networks these are, more
rivals=(
  "reduce-overhead ddpm-cifar10 bf16 1 --sample"
  "reduce-overhead ddpm-cifar10 tf32 1 --sample"
  "reduce-overhead annotated bf16,tf32 2"
  "default ddpm-cifar10 bf16 1 --sample"
  "max-autotune ddpm-cifar10 bf16 1"
  "eager ddpm-cifar10,annotated bf16,tf32 4 --sample"
)
pids=()
left() { # PyTorch's process of this number, with the compilers that it has started
  kill -9 -- "-${pids[$1]}" 2>/dev/null
  wait "${pids[$1]}" 2>/dev/null
}
trap 'for i in "${!pids[@]}"; do left "$i"; done; rm -rf "$scratch"' EXIT
if [[ -n $only ]]; then
  :
elif python3 -c 'import torch' 2>/dev/null; then
  for i in "${!rivals[@]}"; do
    read -r mode presets precisions _ more <<<"${rivals[$i]}"
    # shellcheck disable=SC2086
    setsid python3 "$here/torch_steps.py" --mode "$mode" --presets "$presets" --precisions "$precisions" $more "${small[@]}" \
      --wait "$scratch/go-$i" >"$scratch/rows-$i" 2>"$scratch/said-$i" &
    pids[i]=$!
  done
else
  say "no PyTorch here"
fi
is_ready() { [[ $(grep -c '^warm' "$scratch/said-$1") -ge $(cut -d' ' -f4 <<<"${rivals[$1]}") ]]; }

# Each kernel by itself against plain loops in double. $1: what the line in the report says behind "kernels"; then a command to run
# them under, if any.
kernels() {
  local under=$1 module status
  shift
  for module in f32 bf16; do
    LD_LIBRARY_PATH=${LD_LIBRARY_PATH:+$LD_LIBRARY_PATH:}/usr/local/nvidia/lib64 \
      "$@" "$here/kernel_test" "$here/kernels_$module.ptx" >"$scratch/kernels" 2>&1
    status=$?
    cat "$scratch/kernels" >>"$out/kernels.txt"
    if [[ $status -eq 0 ]]; then
      echo "- kernels$under, $module: $(grep -c '^ok ' "$scratch/kernels") cases right"
    elif [[ $status -eq 127 ]]; then # not a word of the kernels: the loader misses a library
      echo "- kernels$under, $module: not started: $(tail -1 "$scratch/kernels")"
    else
      echo "- kernels$under, $module: FAILED"
      grep -v '^ok ' "$scratch/kernels" | head -40 | sed 's/^/  - /'
    fi
  done | tee "$scratch/found"
  cat "$scratch/found" >>"$out/kernels.md"
  ! grep -q ": FAILED" "$scratch/found"
}
if [[ $only == --sanitize ]]; then
  for tool in memcheck initcheck racecheck synccheck; do
    kernels " under $tool" "$sanitizer" --tool $tool --error-exitcode 1
    ended $tool $?
  done
elif [[ $only != --times ]]; then
  # with a cache of its own: what is found fastest beside other work is not to be taken for it later
  XDG_CACHE_HOME=$scratch/cache ours bench.gpu.GpuTests "$out/checks" --checks "${small[@]}"
  ended checks $?
  kernels ""
  ended kernels $?
fi
for i in "${!pids[@]}"; do
  while ! is_ready "$i" && kill -0 "${pids[$i]}" 2>/dev/null && ((SECONDS - begin < ${WAIT:-240})); do sleep 0.5; done
  is_ready "$i" && continue
  say "left out: PyTorch, ${rivals[$i]}"
  echo "- left out: ${rivals[$i]}" >>"$out/torch.md"
  tail -3 "$scratch/said-$i"
  left "$i"
  unset "pids[i]"
done

if [[ -z $only || $only == --times ]]; then
  say "nothing beside from here on"
  ours bench.gpu.GpuTests "$out/times" --times "${small[@]}"
  ended times $?
fi
for i in "${!pids[@]}"; do # each after the one before has ended
  touch "$scratch/go-$i"
  wait "${pids[$i]}" || {
    echo "- failed: ${rivals[$i]}" >>"$out/torch.md"
    tail -3 "$scratch/said-$i"
  }
  tee -a "$out/torch.md" <"$scratch/rows-$i"
  report
done
if [[ -z $only ]]; then
  mkdir -p "$out/benchmarks"
  "$here/run-gpu-benchmarks" "$out/benchmarks" "${gate[@]}" "${small[@]}" | tee "$out/benchmarks/said.txt" | tail -15
  ended benchmarks "${PIPESTATUS[0]}"
fi
if [[ ${#pids[@]} -gt 0 && ${#small[@]} -eq 0 ]]; then
  timeout 60 python3 -u "$here/torch_convolutions.py" | tee -a "$out/torch.md"
  [[ ${PIPESTATUS[0]} -eq 0 ]] || echo "- left out: what else there is of the convolutions" >>"$out/torch.md"
fi
report && say "$out/report.md" || exit 1
[[ " ${statuses[*]} " != *=[1-9]* ]]
