#!/usr/bin/env bash
# Repeats what docs/validation/audit.md has measured: checks the answers of a real model and of one with random weights.
# Usage: docs/audit.sh SERVE SERVE_RANDOM [LOG]
# SERVE is a command that runs a server on 127.0.0.1:8000 in the foreground with a real model called smollm2, at least 48
# sequences at once; SERVE_RANDOM the same of a model with random weights called tiny. Each runs alone, and is ended.
set -euo pipefail
real=${1:?usage: docs/audit.sh SERVE SERVE_RANDOM [LOG]} random=${2:?usage: docs/audit.sh SERVE SERVE_RANDOM [LOG]}
log=${3:-/dev/stdout}
cd "$(dirname "$0")/.."
test=$(mktemp) && trap 'rm -f "$test"' EXIT
go test -c -o "$test" ./loadgen/openai

with() { # MODEL SERVE NAME=VALUE…
  local model=$1 serve=$2; shift 2
  setsid bash -c "exec $serve" > /dev/null 2>&1 &
  local server=$!
  for _ in $(seq 600); do
    curl -sf -o /dev/null http://127.0.0.1:8000/health && break
    kill -0 "$server" || { echo "the server did not start: $serve" >&2; return 1; }
    sleep 1
  done
  local failed=0
  env SERVEGAUGE_AUDIT_URL=http://127.0.0.1:8000 SERVEGAUGE_AUDIT_MODEL="$model" "$@" \
    "$test" -test.run 'TestAuditOnRealServer$' -test.timeout 60m >> "$log" 2>&1 || failed=1
  kill -TERM -- "-$server" && wait "$server" || true
  return $failed
}

failed=0
with smollm2 "$real" || failed=1
with tiny "$random" SERVEGAUGE_AUDIT_RANDOM=1 || failed=1
exit $failed
