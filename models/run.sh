#!/bin/sh
# Checks the models with spin: ./dev model [MODEL]. The last line is
# `N passed, N failed`. A line `fails` is a model that was made wrong on purpose
# (CARELESS): spin has to find that out.
set -u

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
only=${1:-}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
passed=0
failed=0

# check holds|fails MODEL [DEFINE...]
check() {
    expect=$1 model=$2
    shift 2
    [ -z "$only" ] || [ "$only" = "$model" ] || return 0
    rm -rf "${work:?}"/*
    out=$work/out
    if ! (
        cd "$work" &&
            spin "$@" -a "$here/$model.pml" >"$out" 2>&1 &&
            ${CC:-gcc} -O2 -w -DSAFETY -DCOLLAPSE -o pan pan.c >>"$out" 2>&1 &&
            ./pan -m500000 -w22 >>"$out" 2>&1
    ); then
        echo "$model $*: cannot be checked"
        cat "$out"
        failed=$((failed + 1))
        return 0
    fi
    errors=$(sed -n 's/.*errors: \([0-9]*\)$/\1/p' "$out")
    states=$(sed -n 's/ *\([0-9.e+]*\) states, stored.*/\1/p' "$out")
    found=holds
    [ "$errors" = 0 ] || found=fails
    grep -q 'max search depth too small\|Search not completed' "$out" &&
        [ $found = holds ] && found='is not decided'
    if [ "$found" = "$expect" ]; then
        echo "$model $*: $found, as it must ($states states)"
        passed=$((passed + 1))
    else
        echo "$model $*: $found, but must be: $expect"
        grep '^pan:' "$out"
        failed=$((failed + 1))
    fi
}

check holds lock -DSLOTS=3 -DROUNDS=2 -DDEATHS=0
check holds lock -DSLOTS=2 -DROUNDS=2 -DDEATHS=2
check holds lock -DSLOTS=3 -DROUNDS=1 -DDEATHS=1 -DREBORN=0
check fails lock -DSLOTS=2 -DROUNDS=1 -DDEATHS=1 -DCARELESS

check holds semaphore -DHOLDERS=1 -DROUNDS=2 -DDEATHS=1
check holds semaphore -DHOLDERS=2 -DROUNDS=1 -DDEATHS=2
check holds semaphore -DHOLDERS=1 -DROUNDS=1 -DDEATHS=1 -DUNITS=2
check fails semaphore -DHOLDERS=1 -DROUNDS=1 -DDEATHS=1 -DUNITS=2 -DCARELESS

check holds condition -DCONSUMERS=2 -DITEMS=2 -DDEATHS=0
check holds condition -DCONSUMERS=2 -DITEMS=1 -DDEATHS=1
check holds condition -DCONSUMERS=3 -DITEMS=2 -DDEATHS=1 -DTIMED=false
check fails condition -DCONSUMERS=2 -DITEMS=1 -DDEATHS=1 -DCARELESS

check holds barrier -DPARTIES=2 -DROUNDS=2 -DDEATHS=1
check holds barrier -DPARTIES=3 -DROUNDS=2 -DDEATHS=2
check holds barrier -DPARTIES=2 -DROUNDS=2 -DDEATHS=1 -DRESETS=1
check holds barrier -DPARTIES=2 -DROUNDS=2 -DDEATHS=0 -DRESETS=2
check fails barrier -DPARTIES=2 -DROUNDS=2 -DDEATHS=0 -DRESETS=1 -DCARELESS

check holds gate -DSLEEPERS=2 -DOPENERS=2 -DDEATHS=0
check holds gate -DSLEEPERS=3 -DOPENERS=2 -DDEATHS=0
check holds gate -DSLEEPERS=2 -DOPENERS=2 -DDEATHS=1
check fails gate -DSLEEPERS=2 -DOPENERS=2 -DDEATHS=0 -DCARELESS

check holds queue -DPUTTERS=1 -DGETTERS=1 -DEACH=6 -DDEATHS=1
check holds queue -DPUTTERS=2 -DGETTERS=1 -DEACH=2 -DDEATHS=1
check holds queue -DPUTTERS=1 -DGETTERS=2 -DEACH=5 -DDEATHS=1
check holds queue -DPUTTERS=2 -DGETTERS=2 -DEACH=1 -DDEATHS=1
check holds queue -DPUTTERS=1 -DGETTERS=2 -DEACH=3 -DDEATHS=2
check holds queue -DFIXED -DPUTTERS=2 -DGETTERS=1 -DEACH=2 -DDEATHS=1
check holds queue -DFIXED -DPUTTERS=1 -DGETTERS=2 -DEACH=5 -DDEATHS=1
check fails queue -DPUTTERS=2 -DGETTERS=1 -DEACH=2 -DDEATHS=1 -DCARELESS

echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
