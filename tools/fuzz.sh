#!/bin/sh
# Fuzzes each target of fuzz/, one after the other, for an equal share of the time:
#   tools/fuzz.sh BUILD MINUTES
# What it finds new, and an input that fails, is kept in BUILD/found/TARGET; the
# inputs of fuzz/corpus are where it begins. MP_SEED repeats a run's choices. Ends
# with the line `fuzz: N runs, N failed`.
set -eu

build=$1 minutes=$2
seed=${MP_SEED:-$(date +%s)}
targets=$(for file in fuzz/*_fuzz.c; do basename "$file" .c; done)

case $minutes in
'' | *[!0-9]*)
    echo "fuzz.sh: MINUTES is a whole number" >&2
    exit 1
    ;;
esac
# shellcheck disable=SC2086 # one word a target
set -- $targets
seconds=$((minutes * 60 / $#))
[ "$seconds" -gt 0 ] || seconds=1

echo "MP_SEED=$seed, $# targets, $seconds s each"
runs=0 failed=0
for target; do
    found=$build/found/$target
    seeds=fuzz/corpus/${target%_fuzz}
    mkdir -p "$found"
    [ -d "$seeds" ] || seeds=
    log=$found.log
    status=0
    # shellcheck disable=SC2086 # no corpus is no word
    "$build/$target" -seed="$seed" -max_total_time="$seconds" -print_final_stats=1 \
        -rss_limit_mb=2048 -timeout=20 -artifact_prefix="$found/" "$found" $seeds >"$log" 2>&1 ||
        status=$?
    n=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
    runs=$((runs + ${n:-0}))
    if [ $status -eq 0 ] && [ "${n:-0}" -gt 0 ]; then
        echo "$target: ${n} runs"
    else
        failed=$((failed + 1))
        echo "$target: failed with status $status after ${n:-0} runs: $log"
        tail -n 30 "$log"
    fi
done
echo "fuzz: $runs runs, $failed failed"
[ $failed -eq 0 ]
