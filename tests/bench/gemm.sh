#!/bin/sh
# gemm.sh [SECONDS]: our products beside oneDNN's, on one thread and on two.
bin=$(dirname "$0")/../../build/${KOEVAL_PRESET:-release}/bin
OMP_NUM_THREADS=1 "$bin/bench_gemm" 1 "${1:-0.5}"
OMP_NUM_THREADS=2 OMP_PROC_BIND=false "$bin/bench_gemm" 2 "${1:-0.5}" | tail -n +3
