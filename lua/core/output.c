/* What workers print. Lines stay whole because they are written whole; a mode
 * may put the worker's name before each (tag), or collect what a task prints
 * (capture, group): then descriptors 1 and 2 are files in memory. */

#include "worker.h"

#include "arg.h"

#include <lualib.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* A line up to this size is one write; up to 4096 bytes it arrives in one piece
 * in a pipe, too. */
enum { LINE = 1 << 16 };

/* core.line_buffered() */
static int line_buffered(lua_State *L)
{
    static char *buffers; /* for as long as the process lives */

    if (!buffers)
        buffers = malloc(2 * LINE);
    if (!buffers)
        return luaL_error(L, "not enough memory");
    fflush(NULL);
    setvbuf(stdout, buffers, _IOLBF, LINE);
    setvbuf(stderr, buffers + LINE, _IOLBF, LINE);
    return 0;
}

/* ---- tag -------------------------------------------------------------------- */

struct tagged {
    int fd;
    bool inside; /* a line was begun */
};

static struct {
    const char *text; /* kept in the registry */
    size_t size;
} tag;
static struct tagged streams[2] = {{1, false}, {2, false}};

static void put(int fd, const char *s, size_t size)
{
    while (size > 0) {
        ssize_t n = write(fd, s, size);

        if (n < 0 && errno != EINTR)
            return;
        if (n > 0) {
            s += n;
            size -= (size_t)n;
        }
    }
}

/* The write function of a stream: each line with the tag, in one write. */
static ssize_t write_tagged(void *cookie, const char *s, size_t size)
{
    struct tagged *t = cookie;
    const char *end = s + size, *p = s;
    size_t lines = 1, at = 0, width = tag.size;
    char *out;

    for (const char *q = s; q < end; q++)
        lines += *q == '\n';
    out = malloc(size + lines * width + 1);
    if (!out) { /* better without than not at all */
        put(t->fd, s, size);
        return (ssize_t)size;
    }
    while (p < end) {
        const char *nl = memchr(p, '\n', (size_t)(end - p));
        size_t n = (size_t)((nl ? nl + 1 : end) - p);

        if (!t->inside) {
            memcpy(out + at, tag.text, width);
            at += width;
        }
        memcpy(out + at, p, n);
        at += n;
        p += n;
        t->inside = nl == NULL;
    }
    put(t->fd, out, at);
    free(out);
    return (ssize_t)size;
}

static FILE *open_tagged(struct tagged *t)
{
    cookie_io_functions_t io = {.write = write_tagged};
    FILE *f = fopencookie(t, "w", io);

    if (f)
        setvbuf(f, NULL, _IOLBF, LINE);
    return f;
}

/* io.stdout or io.stderr writes to f from now on. */
static void replace_file(lua_State *L, const char *key, FILE *f)
{
    luaL_Stream *s;

    if (lua_getglobal(L, LUA_IOLIBNAME) == LUA_TTABLE) {
        lua_getfield(L, -1, key);
        s = luaL_testudata(L, -1, LUA_FILEHANDLE);
        if (s)
            s->f = f;
        lua_pop(L, 1);
    }
    lua_pop(L, 1);
}

/* core.tag_output(text): before every line. */
static int tag_output(lua_State *L)
{
    FILE *out, *err;

    tag.text = luaL_checklstring(L, 1, &tag.size);
    lua_pushvalue(L, 1);
    luaL_ref(L, LUA_REGISTRYINDEX);
    fflush(NULL);
    out = open_tagged(&streams[0]);
    err = open_tagged(&streams[1]);
    if (!out || !err)
        return mpl_fail(L, -errno);
    stdout = out; /* printf's, and print's */
    stderr = err;
    replace_file(L, "stdout", out);
    replace_file(L, "stderr", err);
    lua_pushboolean(L, 1);
    return 1;
}

/* ---- capture and group -------------------------------------------------------- */

static struct {
    int file[2]; /* what 1 and 2 are now; the same for capture */
    int real[2];
} kept = {{-1, -1}, {-1, -1}};

static int memory_file(void)
{
    return memfd_create("mp-output", MFD_CLOEXEC);
}

/* core.keep_output(apart): what is printed from now on is kept for
 * core.kept_output; apart: standard output and error in two pieces. */
static int keep_output(lua_State *L)
{
    bool apart = lua_toboolean(L, 1);

    fflush(NULL);
    kept.file[0] = memory_file();
    kept.file[1] = apart ? memory_file() : kept.file[0];
    if (kept.file[0] < 0 || kept.file[1] < 0)
        return mpl_fail(L, -errno);
    for (int i = 0; i < 2; i++) {
        kept.real[i] = dup(i + 1);
        dup2(kept.file[i], i + 1);
    }
    lua_pushboolean(L, 1);
    return 1;
}

/* Pushes what is in the file, and empties it. */
static void take(lua_State *L, int fd)
{
    off_t size = lseek(fd, 0, SEEK_END);
    luaL_Buffer b;
    char *p;
    ssize_t n;

    if (size <= 0) {
        lua_pushliteral(L, "");
        return;
    }
    p = luaL_buffinitsize(L, &b, (size_t)size);
    n = pread(fd, p, (size_t)size, 0);
    luaL_pushresultsize(&b, n > 0 ? (size_t)n : 0);
    if (ftruncate(fd, 0) == 0)
        lseek(fd, 0, SEEK_SET);
}

/* core.kept_output() -> what was printed since the last call; if apart: to
 * standard output, and to standard error */
static int kept_output(lua_State *L)
{
    fflush(NULL);
    take(L, kept.file[0]);
    if (kept.file[0] == kept.file[1])
        return 1;
    take(L, kept.file[1]);
    return 2;
}

/* core.write_real(i, text): to the standard output (1) or error (2) that was
 * there before. */
static int write_real(lua_State *L)
{
    lua_Integer i = luaL_checkinteger(L, 1);
    size_t size;
    const char *s = luaL_checklstring(L, 2, &size);

    luaL_argcheck(L, i == 1 || i == 2, 1, "1 or 2");
    put(kept.real[i - 1], s, size);
    return 0;
}

/* core.isatty(fd) */
static int is_terminal(lua_State *L)
{
    lua_pushboolean(L, isatty((int)luaL_checkinteger(L, 1)));
    return 1;
}

void mpl_open_output(lua_State *L)
{
    static const luaL_Reg functions[] = {
        {"line_buffered", line_buffered},
        {"tag_output", tag_output},
        {"keep_output", keep_output},
        {"kept_output", kept_output},
        {"write_real", write_real},
        {"isatty", is_terminal},
        {NULL, NULL},
    };

    luaL_setfuncs(L, functions, 0);
}
