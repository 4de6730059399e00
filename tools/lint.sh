#!/bin/sh
# ./dev lint: formats, static analysis, layers. Run from the root as
#   tools/lint.sh BUILD LUA
# Everything is looked at before it fails. A file that clang-tidy found clean
# is looked at again only when its text after preprocessing, or the
# configuration, has changed.
set -u

build=$1
lua=$2
cc=${CC:-gcc}
stamps=$build/lint
failed=0
mkdir -p "$stamps"

part() { # part NAME COMMAND...
    name=$1
    shift
    if "$@"; then
        echo "lint: $name: clean"
    else
        echo "lint: $name: FAILED"
        failed=1
    fi
}

c_files() { # c_files PATTERN: of the folders that there are
    for dir in runtime lua examples bench; do
        [ ! -d "$dir" ] || find "$dir" -name "$1"
    done | sort
}

formats() { c_files '*.[ch]' | xargs clang-format --dry-run -Werror; }

# A header is complete: it compiles alone.
headers() {
    c_files '*.h' | CC=$cc LUA_DIR=$lua_dir xargs -P 2 -I {} sh -c '
        $CC -std=c11 -D_GNU_SOURCE -Wall -Wextra -Werror -fsyntax-only \
            -I runtime -I lua/core -isystem "$LUA_DIR" \
            -include {} -x c /dev/null || exit 1'
}

tidy_one() { # tidy_one FILE
    text=$($cc -E -C -P -std=c11 -D_GNU_SOURCE -I runtime -I lua/core \
        -isystem "$lua_dir" "$1") || return 1
    key=$( (
        cat .clang-tidy
        clang-tidy --version
        echo "$text"
    ) | sha256sum | cut -c1-64)
    stamp=$stamps/$(echo "$1" | tr / _)
    [ "$(cat "$stamp" 2>/dev/null)" = "$key" ] && return 0
    clang-tidy --quiet -p "$build" "$1" 2>"$stamp.err" || {
        grep -v 'warnings generated\|warnings treated\|^Suppressed\|^Use -' \
            "$stamp.err"
        return 1
    }
    echo "$key" >"$stamp"
}

tidy() { # the files of the build, two at a time
    c_files '*.c' | grep '^runtime/\|^lua/' |
        xargs -P 2 -I {} "$0" "$build" "$lua" {}
}

lua_dir=$(sed -n 's/^LUA_INCLUDE_DIR:PATH=//p' "$build/CMakeCache.txt")
if [ $# -gt 2 ]; then
    tidy_one "$3"
    exit
fi

part 'clang-format' formats
part 'headers compile alone' headers
part 'luacheck' luacheck -q .
# MP_LINT=quick leaves out what takes minutes.
[ "${MP_LINT:-}" = quick ] || part 'clang-tidy' tidy
part 'layers' "$lua" tools/layers.lua
part 'reference' "$lua" tools/reference/write.lua --check
exit $failed
