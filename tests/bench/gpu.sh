#!/usr/bin/env bash
# Everything that only a GPU can tell, in one call of at most nine minutes; run it again to go on where it stopped.
#   tests/bench/gpu.sh [RESULTS.jsonl]      (default out/gpu.jsonl; delete the file to measure again)
set -euo pipefail
cd "$(dirname "$0")/../.."
exec "${PYTHON:-python3}" -m tests.bench.gpu --results "${1:-out/gpu.jsonl}" --seconds "${SECONDS_AT_MOST:-500}"
