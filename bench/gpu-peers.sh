#!/usr/bin/env bash
# Everything about a GPU in one call, for a machine that is lent for minutes: ./run-gpu-peers [FOLDER] [--small]
#   PyTorch's networks are compiled, each by a process of its own, and wait; our checks run beside them;
#   then, one after another and with nothing beside: our times, PyTorch's, the benchmarks with their gate.
# What is not compiled after WAIT seconds (200) is left out and named. FOLDER (gpu-report) gets report.md (the checks), times/,
# gate/, torch.md. About six minutes on an H200; without PyTorch half of that. Ends with 1 unless checks, times and gate did with
# 0. The tiny shapes of --small have no floors, so they are measured without the gate.
set -uo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
out=gpu-report
[[ $# -gt 0 && $1 != --* ]] && { out=$1; shift; }
mkdir -p "$out"
out=$(cd "$out" && pwd)
scratch=$(mktemp -d)
begin=$SECONDS
say() { echo "[$((SECONDS - begin)) s] $*"; }
failed=0
ended() { # what, with which status
  say "$1: status $2"
  [[ $2 -eq 0 ]] || failed=1
}
gate=(--gate)
[[ " $* " != *" --small "* ]] || gate=()

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
trap '[[ ${#pids[@]} -eq 0 ]] || kill -9 "${pids[@]}" 2>/dev/null; rm -rf "$scratch"' EXIT
if python3 -c 'import torch' 2>/dev/null; then
  for i in "${!rivals[@]}"; do
    read -r mode presets precisions _ more <<<"${rivals[$i]}"
    # shellcheck disable=SC2086
    setsid python3 "$here/torch_steps.py" --mode "$mode" --presets "$presets" --precisions "$precisions" $more "$@" \
      --wait "$scratch/go-$i" >"$scratch/rows-$i" 2>"$scratch/said-$i" &
    pids[i]=$!
  done
else
  say "no PyTorch here"
fi
is_ready() { [[ $(grep -c '^warm' "$scratch/said-$1") -ge $(cut -d' ' -f4 <<<"${rivals[$1]}") ]]; }

"$here/run-gpu-tests" "$out" --checks "$@"
ended checks $?
for i in "${!pids[@]}"; do
  while ! is_ready "$i" && kill -0 "${pids[$i]}" 2>/dev/null && ((SECONDS - begin < ${WAIT:-200})); do sleep 0.5; done
  is_ready "$i" && continue
  say "left out: PyTorch, ${rivals[$i]}"
  tail -3 "$scratch/said-$i"
  kill -9 -- "-${pids[$i]}" 2>/dev/null # with the compilers that it has started
  wait "${pids[$i]}" 2>/dev/null
  unset "pids[i]"
done

say "nothing beside from here on"
"$here/run-gpu-tests" "$out/times" --times "$@"
ended times $?
for i in "${!pids[@]}"; do # each after the one before has ended
  touch "$scratch/go-$i"
  wait "${pids[$i]}"
  cat "$scratch/rows-$i"
done >"$out/torch.md"
cat "$out/torch.md"
say "PyTorch"
"$here/run-gpu-benchmarks" "$out/gate" "${gate[@]}" "$@" | tail -15
ended gate "${PIPESTATUS[0]}"
exit $failed
