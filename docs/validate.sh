#!/usr/bin/env bash
# Makes the measurements of validation.md again: docs/validate.sh OUT [STOP START]
# OUT is a new directory for what is printed and saved. STOP and START are shell commands for a vLLM server at
# http://127.0.0.1:8000, as validation.md describes it; without them that part is left out. Takes about 20 minutes.
# VLLM_BENCH and VLLM_BENCH_RUST are the commands of other clients, with what they need to know of a tokenizer, such as
# VLLM_BENCH='vllm bench serve --tokenizer DIR'. They run against the simulated server, whose truth is printed beside
# what they say; a client whose command is not given is left out. VALIDATE=peers does only that.
set -euo pipefail
out=${1:?usage: validate.sh OUT [STOP START]} stop=${2-} start=${3-}
mkdir "$out"
out=$(cd "$out" && pwd)
cd "$(dirname "$0")/.."
go build -o "$out/bin/" ./examples/...
cd "$out"
record() { # NAME COMMAND…: keeps the command and what it printed
  local name=$1; shift
  echo "== $name: $*" >&2
  { printf '$'; printf ' %q' "$@"; printf '\n'; "$@" 2> "$name.log" || echo "exit code $?"; } > "$name.txt"
}

# Another client, unchanged, against the simulated server: what it says, the truth, and what the server saw itself. The
# server takes no time to read a prompt, since it counts words where the client counts its tokenizer's tokens.
peer() { # NAME COMMAND
  local name backend endpoint run
  for backend in openai:/v1/completions openai-chat:/v1/chat/completions; do
    name=$1-${backend%%:*} endpoint=${backend#*:}
    bin/simserver -address 127.0.0.1:8124 -max-sequences 8 -prefill 0 -decode 100 -noise 0 -output 50 -concurrency 16 \
      > "$name.server" 2>&1 &
    server=$!
    trap 'kill $server 2> /dev/null || true' EXIT
    sleep 1
    run=(--backend "${backend%%:*}" --endpoint "$endpoint" --model simulated --dataset-name random --random-input-len 64
      --random-output-len 50 --num-prompts 160 --max-concurrency 16 --ignore-eos --percentile-metrics ttft,tpot,itl,e2el)
    echo "== $name: $2 ${run[*]}" >&2
    {
      echo "\$ $1 ${run[*]}"
      # shellcheck disable=SC2086 # the command is words
      HF_HUB_OFFLINE=1 $2 --base-url http://127.0.0.1:8124 "${run[@]}" > "$name.log" 2>&1 || echo "exit code $?"
      sed -n '/Serving Benchmark Result/,/^==*$/p' "$name.log"
      echo "The truth:"
      grep -v '^http' "$name.server"
      echo "(Means over a whole run are lower by a twentieth of the wait: the first 8 of 160 find an empty server.)"
      echo "The server's own, of all requests:"
      curl -s http://127.0.0.1:8124/metrics | awk '
        /_seconds_sum/ { name = $1; sub(/_sum.*/, "", name); sum[name] = $2 }
        /_seconds_count/ { name = $1; sub(/_count.*/, "", name); printf "%s: mean %.2f ms of %d\n", name, $2 ? 1000 * sum[name] / $2 : 0, $2 }'
    } > "$name.txt"
    kill $server
    wait $server || true
  done
}
[ -z "${VLLM_BENCH-}" ] || peer vllm-bench-serve "$VLLM_BENCH"
[ -z "${VLLM_BENCH_RUST-}" ] || peer vllm-bench "$VLLM_BENCH_RUST"
[ "${VALIDATE-}" != peers ] || exit 0

record quick bin/multirun

# The client against a server that answers at once: as published, in one piece, and with enough requests.
record client bin/clientcheck -out client
record client-whole bin/clientcheck -stream=false -out client-whole
record client-corrected bin/clientcheck -plan corrected -tokens 10 -need 4.4 -out client-corrected

# The simulated server's stamps against the client's: 50 ms to the first token, then a token each 10 ms.
bin/simserver -address 127.0.0.1:8123 -max-sequences 0 -prefill 1280 -decode 100 -noise 0 > simserver.txt 2>&1 &
server=$!
trap 'kill $server 2> /dev/null || true' EXIT
sleep 1
for level in 1:20 100:500 1000:3000; do
  record "truth-${level%:*}" bin/loadtest -url http://127.0.0.1:8123 -input 64 -output 100 \
    -concurrency "${level%:*}" -requests "${level#*:}" -warmup "${level%:*}"
done
kill $server

if [ -n "$start" ]; then
  vllm=(-server "cmd:$stop;$start" -input 256 -output 64 -runs 3 -cooldown 5s)
  record vllm-multirun bin/multirun "${vllm[@]}" -levels 1,4,8,16,32,64 -requests 10x -out vllm-multirun
  record vllm-capped bin/multirun "${vllm[@]}" -levels 1,4,8,16,32,64 -requests 20 -out vllm-capped
  record vllm-finesweep bin/finesweep "${vllm[@]}" -levels 4,8,12,16,20,24,32 -requests 10x -out vllm-finesweep
fi
