#!/bin/sh
# Starts spec/chaos/run.lua where something is short:
#   tools/chaos.sh LUA MINUTES [arena|descriptors|memory|shm|init]
set -eu

lua=$1 minutes=$2 short=$3
program=spec/chaos/run.lua

case $short in
'') exec "$lua" $program "$minutes" ;;
arena)
    MP_ARENA=64M
    export MP_ARENA
    exec "$lua" $program "$minutes" arena
    ;;
descriptors)
    # shellcheck disable=SC3045 # every shell of Debian has it
    ulimit -n 64
    exec "$lua" $program "$minutes" descriptors
    ;;
memory)
    group=/sys/fs/cgroup/memory/mp-chaos-$$
    limit=memory.limit_in_bytes
    if [ ! -d /sys/fs/cgroup/memory ]; then
        group=/sys/fs/cgroup/mp-chaos-$$
        limit=memory.max
    fi
    mkdir "$group"
    echo 14M >"$group/$limit"
    status=0
    # shellcheck disable=SC2016 # for the inner shell
    sh -c 'echo $$ >"$1/cgroup.procs"; shift; exec "$@"' sh "$group" "$lua" $program "$minutes" memory ||
        status=$?
    # Were the parent itself chosen, its actors would go on: none is a daemon.
    until rmdir "$group" 2>/dev/null; do
        xargs -r kill -9 <"$group/cgroup.procs" 2>/dev/null || true
        sleep 0.1
    done
    exit $status
    ;;
shm)
    # shellcheck disable=SC2016 # for the inner shell
    exec unshare -m sh -c 'umount -l /dev/shm; exec "$@"' sh \
        "$lua" $program "$minutes"
    ;;
init) exec unshare -pf --mount-proc "$lua" $program "$minutes" ;;
*)
    echo "chaos.sh: no such shortage: $short" >&2
    exit 1
    ;;
esac
