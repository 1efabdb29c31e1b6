#!/bin/sh
# stream.sh MODEL_DIR [MIB] [ITEMS]: one model resident and streamed from its packed file, by turns.
# MIB is what the streamed one may take; where a memory cgroup (v1) can be made, it is also limited to
# 8 MiB more, so that the file's pages do not stay in memory either.
set -eu
model=$1 mib=${2:-92} items=${3:-16}
bin=$(dirname "$0")/../../build/${KOEVAL_PRESET:-release}/bin
work=$(mktemp -d) group=/sys/fs/cgroup/memory/koeval-stream-$$
trap 'rm -rf "$work"; rmdir "$group" 2>/dev/null || true' EXIT
mkdir "$group" 2>/dev/null && echo $(((mib + 8) << 20)) >"$group/memory.limit_in_bytes" || group=
score() { # WAY LIMIT [OPTION]...: a line "way cpu-seconds seconds peak-MB"
    way=$1 limit=$2
    shift 2
    sh -c 'test -z "$1" || echo $$ >"$1/cgroup.procs"; shift; exec "$@"' sh "$limit" \
        "$bin/bench_score" "$model" --dtype bf16 --threads 2 --items "$items" --subjects 2 --repeat 1 "$@" |
        awk -v way="$way" '/^seconds/ { sub(",", "", $3); sub(";", "", $12)
            print way, $12, $3, $(NF - 1) }'
}
score built "" --packed "$work" >/dev/null
file=$(echo "$work"/*.packed)
bytes=$(wc -c <"$file")
begin=$(date +%s%N)
dd if="$file" of=/dev/null iflag=direct bs=4M status=none
rate=$((bytes * 1000 / ($(date +%s%N) - begin)))
for turn in 1 2 3; do
    score resident "" >>"$work/lines"
    dd of="$file" oflag=nocache conv=notrunc,fdatasync count=0 status=none
    score streamed "$group" --packed "$work" --memory "$mib" >>"$work/lines"
done
echo "| weights | MB of them | disk MB/s | may take | core seconds | seconds | peak MB |"
echo "|---|---|---|---|---|---|---|"
for way in resident streamed; do
    grep "^$way" "$work/lines" | awk -v bytes="$bytes" -v rate="$rate" -v mib="$mib" -v group="$group" '
        { cpu[NR] = $2; wall[NR] = $3; if ($4 > peak) peak = $4 }
        function middle(x, i, j, t) { for (i = 1; i < NR; i++) for (j = i + 1; j <= NR; j++)
            if (x[j] < x[i]) { t = x[i]; x[i] = x[j]; x[j] = t } return x[int((NR + 1) / 2)] }
        END { limit = $1 == "resident" ? "all" : mib " MiB" (group ? ", and a cgroup of 8 more" : "")
              printf "| %s | %d | %d | %s | %.1f | %.1f | %d |\n", $1, bytes / 1e6, rate,
                     limit, middle(cpu), middle(wall), peak }'
done
