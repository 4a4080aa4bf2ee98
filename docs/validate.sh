#!/usr/bin/env bash
# Makes the measurements of validation.md again: docs/validate.sh OUT [STOP START]
# OUT is a new directory for what is printed and saved. STOP and START are shell commands for a vLLM server at
# http://127.0.0.1:8000, as validation.md describes it; without them that part is left out. Takes about 20 minutes.
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
  record vllm-multirun bin/multirun "${vllm[@]}" -levels 1,4,8,16,32,64 -prompts 10x -out vllm-multirun
  record vllm-capped bin/multirun "${vllm[@]}" -levels 1,4,8,16,32,64 -prompts 20 -out vllm-capped
  record vllm-finesweep bin/finesweep "${vllm[@]}" -levels 4,8,12,16,20,24,32 -prompts 10x -out vllm-finesweep
fi
