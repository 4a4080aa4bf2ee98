#!/usr/bin/env bash
# Repeats what docs/validation/workloads.md has measured on real servers.
# Usage: docs/workloads.sh MODELS OUT PART…
# MODELS is a directory of models, which docs/validation/workloads.md describes; OUT one for what is printed. The parts:
# clients, open, open-llama, adapters, images, embed, rerank, rerank-llama, structured, structured-tiny.
# VLLM and LLAMA are the commands of vLLM's command line and of llama.cpp's server ("vllm", "llama-server"). The servers
# listen on 127.0.0.1, ports 8000 and 18600, one after another, each alone, and are ended.
set -euo pipefail
usage="usage: docs/workloads.sh MODELS OUT PART…"
models=$(cd "${1:?$usage}" && pwd) out=$(mkdir -p "${2:?$usage}" && cd "$2" && pwd)
shift 2
cd "$(dirname "$0")/.."
trace=docs/validation/raw/mooncake-shaped.jsonl
bin=$(mktemp -d) url='' log='' server=
trap 'stop; rm -rf "$bin"' EXIT
go build -o "$bin" ./examples/loadtest

start() { # COMMAND…
  setsid "$@" > "$log" 2>&1 < /dev/null &
  server=$!
  for _ in $(seq 600); do
    ! curl -sf -o /dev/null $url/health || return 0
    kill -0 $server 2> /dev/null || { echo "the server did not start; see $log" >&2; return 1; }
    sleep 1
  done
}

stop() {
  [ -n "$server" ] || return 0
  kill -TERM -- "-$server" 2> /dev/null || true
  (sleep 30; kill -KILL -- "-$server" 2> /dev/null) & # one that was still starting may not hear the first
  local later=$!
  wait "$server" 2> /dev/null || true
  kill "$later" 2> /dev/null || true
  server=
}

vllm() { # MODEL FLAGS…: its weights are made up unless the folder has some
  local model=$1; shift
  url=http://127.0.0.1:8000
  local made=(--load-format dummy)
  [ ! -f "$models/$model/model.safetensors" ] || made=()
  export VLLM_CPU_KVCACHE_SPACE=1 HF_HUB_OFFLINE=1 VLLM_NO_USAGE_STATS=1 VLLM_SERVER_DEV_MODE=1
  # shellcheck disable=SC2086 # the command is words
  start ${VLLM:-vllm} serve "$models/$model" --served-model-name "$model" "${made[@]}" --dtype bfloat16 \
    --enforce-eager --host 127.0.0.1 --port 8000 --disable-uvicorn-access-log "$@"
}

llama() { # MODEL FLAGS…
  local model=$1; shift
  url=http://127.0.0.1:18600
  # shellcheck disable=SC2086 # the command is words
  start ${LLAMA:-llama-server} -m "$models/$model.gguf" --host 127.0.0.1 --port 18600 -ngl 0 -t 1 --no-warmup \
    --offline "$@"
}

text() { # FLAGS of vLLM for models that make text
  printf '%s\n' --max-model-len 8192 --max-num-seqs 16 --enable-prompt-tokens-details
}

record() { # NAME COMMAND…: appends the command and what it printed, without the directories of this machine
  local name=$1; shift
  { printf '$'; printf ' %q' "$@"; printf '\n'; "$@" 2>&1 || echo "exit code $?"; } |
    sed "s,$models,MODELS,g; s,$out,OUT,g; s,$bin/,,g; s,^\$ ${VLLM:-vllm} ,$ vllm ," >> "$out/$name.txt"
}

counters() { # NAME: what the server itself has counted so far
  {
    echo "The server's own, since it started:"
    curl -s $url/metrics | grep -E -e '^vllm:(prompt|generation)_tokens_total|^vllm:request_success_total' \
      -e '^vllm:(prefix|mm)_cache_(queries|hits)_total' -e '^llamacpp:(prompt|tokens_predicted)' \
      -e '^vllm:(time_to_first_token|e2e_request_latency)_seconds_(sum|count)' | grep -v ' 0\.0$' |
      sed 's/engine="[0-9]*",//'
  } >> "$out/$1.txt"
}

forget() { curl -sf -X POST $url/reset_prefix_cache > /dev/null; } # what the server has cached

part() { # NAME
  log=$out/$1-server.log
  case $1 in
  clients) # vLLM's client (a) and ours (b), in turn, on one server
    vllm tiny $(text)
    local n=0 who
    for who in warm a b b a; do
      forget
      case $who in
      a) # shellcheck disable=SC2086 # the command is words
        record clients-$n-vllm ${VLLM:-vllm} bench serve --backend openai --base-url $url --endpoint /v1/completions \
          --model tiny --tokenizer "$models/tiny" --dataset-name timed_trace --dataset-path $trace --num-prompts 90 \
          --timed-trace-chunk-hash-size 512 --timed-trace-sec-multiplier 0.001 --temperature 0 --disable-tqdm \
          --percentile-metrics ttft,tpot,itl,e2el --metric-percentiles 50,90,95 ;;
      b) record clients-$n-ours "$bin/loadtest" -url $url -trace $trace -seed $n ;;
      warm) record clients-warm "$bin/loadtest" -url $url -trace $trace -speed 4 -seed 99 ;;
      esac
      case $who in a) counters clients-$n-vllm ;; b) counters clients-$n-ours ;; *) counters clients-warm ;; esac
      n=$((n + 1))
    done ;;
  open | open-llama) # sessions that arrive, and think
    if [ "$1" = open ]; then vllm tiny $(text) --block-size 32; else llama tiny -np 8 -c 16384 --metrics; fi
    record "$1" "$bin/loadtest" -url $url -sessions 60 -rate 0.8 -turns 5 -think exponential:2@0.2-8 \
      -input-lengths 30-60 -output 16 -system 120 -seed 7
    counters "$1" ;;
  adapters)
    vllm tiny $(text) --enable-lora --max-lora-rank 64 --max-loras 3 --enable-log-requests --lora-modules \
      a="$models/lora-a" b="$models/lora-b" c="$models/lora-c"
    local asked before
    for asked in tiny,a,b,c 'tiny*3,a*2,b'; do
      before=$(wc -l < "$log")
      record adapters "$bin/loadtest" -url $url -model "$asked" -requests 240 -concurrency 8 -input 200 -output 32 \
        -seed 3 -continuous-usage
      { echo "The server's log, requests by adapter:"; tail -n "+$((before + 1))" "$log" |
        grep 'Received request' | grep -oE "lora_request: (None|LoRARequest\(lora_name='[a-z]+')" | sort | uniq -c; } \
        >> "$out/adapters.txt"
    done
    counters adapters ;;
  images)
    vllm vl $(text) --limit-mm-per-prompt '{"image":4}'
    local size each seed=0
    for size in 112x112 224x224 448x448 896x448; do
      for each in 1 3; do
        record images "$bin/loadtest" -url $url -endpoint chat -images $((40 * each)) -image-size $size \
          -media-each $each -requests 40 -concurrency 2 -input 20 -output 8 -continuous-usage -seed $((seed += 1))
      done
    done
    counters images
    record images "$bin/loadtest" -url $url -endpoint chat -images 10 -image-size 224x224 -requests 40 -concurrency 1 \
      -input 20 -output 8 -continuous-usage -seed 99 # 10 images, each four times
    counters images ;;
  embed)
    vllm embed --runner pooling
    record embed "$bin/loadtest" -url $url -endpoint embeddings -vocabulary 3979 -requests 400 -concurrency 8 -input 60
    counters embed ;;
  rerank)
    vllm rank --runner pooling
    record rerank "$bin/loadtest" -url $url -endpoint rerank -requests 200 -concurrency 4 -input 60
    counters rerank ;;
  rerank-llama)
    llama rank --reranking -np 4 -c 4096 -b 1024 -ub 1024 --metrics
    record rerank-llama "$bin/loadtest" -url $url -endpoint rerank -requests 200 -concurrency 4 -input 60
    counters rerank-llama ;;
  structured | structured-tiny) # with a schema and without, in turn; then with new schemas, and again
    local name=$1 model=smollm2 requests=10
    [ "$1" = structured ] || { model=tiny requests=40; }
    vllm $model $(text)
    schema() { # NAME
      echo '{"response_format":{"type":"json_schema","json_schema":{"name":"'"$1"'","schema":{"type":"object",
        "properties":{"'"$1"'":{"type":"string","maxLength":20},"people":{"type":"integer"}},
        "required":["'"$1"'","people"]}}}}'
    }
    ask() { # BLOCK HOW FLAGS…: prints a line of what one level has found
      local block=$1 how=$2; shift 2
      forget
      "$bin/loadtest" -url $url -concurrency 1 -input 64 -output 8 -json "$@" 2>> "$out/$name.log" |
        jq -c --arg block "$block" --arg how "$how" '[.figures[] | {key: .name, value}] | from_entries |
          {block: ($block | tonumber), how: $how, ttft_mean, ttft_p50, tpot_mean, e2e_mean}' >> "$out/$name.txt"
    }
    pairs() { # MORE LESS FIGURE…: prints the mean of the differences within blocks, with its interval (Student's t)
      local more=$1 less=$2; shift 2
      jq -s -r --arg more "$more" --arg less "$less" '
        def interval: length as $n | (add / $n) as $mean | (map(. - $mean | . * .) | add / ($n - 1) | sqrt) as $sd |
          (2.201 * $sd / ($n | sqrt)) as $half | "\($mean) ± \($half) ms, 95 %, of \($n) blocks";
        (map(select(.block > 0 and (.how == $more or .how == $less))) | group_by(.block)) as $blocks |
          $ARGS.positional[] | . as $figure | "\($figure), \($more) − \($less): " + ($blocks |
          map((.[] | select(.how == $more))[$figure] - (.[] | select(.how == $less))[$figure]) | interval)' \
        "$out/$name.txt" --args "$@"
    }
    local block
    for block in $(seq 0 12); do # the first, in which the server warms, is not counted; 12 are what 2.201 is for
      for how in $( ((block % 2)) && echo 'with without' || echo 'without with'); do
        body=()
        [ $how != with ] || body=(-body "$(schema city)")
        ask "$block" $how -endpoint chat -requests $requests -seed 11 "${body[@]}"
      done
    done
    for block in $(seq 0 12); do # by token ids, so that nothing is asked before; a mean of one request
      ask "$block" new -endpoint completions -requests 1 -seed 12 -body "$(schema "place$block")"
      ask "$block" known -endpoint completions -requests 1 -seed 12 -body "$(schema "place$block")"
    done
    local found
    found=$(pairs with without ttft_mean ttft_p50 tpot_mean e2e_mean && pairs new known ttft_mean)
    echo "$found" >> "$out/$name.txt" ;;
  *) echo "$1: $usage" >&2; exit 2 ;;
  esac
  stop
}

for name in "$@"; do
  part "$name"
done
