/* malloc that fails when it is told to, for tests: preloaded it stands before
 * the C library's, and the same file is the Lua module that gives the orders.
 *
 *     shortage.once(n)     the nth allocation from now on fails
 *     shortage.after(n)    so do all after it, until
 *     shortage.over()      which says whether one did
 *
 * Counted are those of the thread that gave the order. */

#include <dlfcn.h>
#include <errno.h>
#include <lauxlib.h>
#include <stddef.h>
#include <stdlib.h>

__attribute__((visibility("default"))) int luaopen_shortage(lua_State *L);

/* Before dlsym has found the real ones it allocates itself. */
static char early[4096];
static size_t early_used;

static void *(*real_malloc)(size_t);
static void *(*real_calloc)(size_t, size_t);
static void *(*real_realloc)(void *, size_t);

static _Thread_local long left; /* 0: no shortage is planned */
static _Thread_local int only_one, came;

static int is_short(void)
{
    if (left == 0)
        return 0;
    if (left > 1) {
        left--;
        return 0;
    }
    if (only_one)
        left = 0;
    came = 1;
    errno = ENOMEM;
    return 1;
}

static void *from_early(size_t size)
{
    void *p = early + early_used;

    size = (size + 15) / 16 * 16;
    if (size > sizeof early - early_used)
        return NULL;
    early_used += size;
    return p;
}

/* The symbol behind ours; a data pointer is what dlsym has for it. */
static void find(const char *name, void *into)
{
    *(void **)into = dlsym(RTLD_NEXT, name);
}

__attribute__((visibility("default"))) void *malloc(size_t size)
{
    if (!real_malloc)
        find("malloc", &real_malloc);
    return is_short() ? NULL : real_malloc(size);
}

__attribute__((visibility("default"))) void *calloc(size_t n, size_t size)
{
    static int finding;

    if (!real_calloc) {
        if (finding)
            return from_early(n * size);
        finding = 1;
        find("calloc", &real_calloc);
        finding = 0;
    }
    return is_short() ? NULL : real_calloc(n, size);
}

__attribute__((visibility("default"))) void *realloc(void *p, size_t size)
{
    if (!real_realloc)
        find("realloc", &real_realloc);
    return is_short() ? NULL : real_realloc(p, size);
}

static int plan(lua_State *L, int once)
{
    long n = (long)luaL_checkinteger(L, 1);

    luaL_argcheck(L, n > 0, 1, "positive number expected");
    came = 0;
    only_one = once;
    left = n;
    return 0;
}

static int once(lua_State *L)
{
    return plan(L, 1);
}

static int after(lua_State *L)
{
    return plan(L, 0);
}

static int over(lua_State *L)
{
    left = 0;
    lua_pushboolean(L, came);
    return 1;
}

int luaopen_shortage(lua_State *L)
{
    static const luaL_Reg functions[] = {
        {"once", once},
        {"after", after},
        {"over", over},
        {NULL, NULL},
    };

    luaL_newlib(L, functions);
    return 1;
}
