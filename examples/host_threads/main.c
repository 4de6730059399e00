/* A program with a Lua state in each of two threads, which work for it: C puts
 * numbers into one queue and gets their squares from another.
 *
 *     cmake -S . -B build -DCMAKE_PREFIX_PATH=PREFIX && cmake --build build
 *     build/host_threads                       prints: 338350 from 2 threads */
#include <lauxlib.h>
#include <lualib.h>
#include <mpr_lua.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

enum { THREADS = 2, NUMBERS = 100 };

static mpr_queue jobs, results;

static const char script[] = "for n in jobs:items() do\n"
                             "  results:put(n * n)\n"
                             "end\n";

static void check(int err, const char *what)
{
    if (err < 0) {
        fprintf(stderr, "%s: %s\n", what, mpr_err_text(err));
        exit(1);
    }
}

/* Gives the state a handle of its own. */
static void share(lua_State *L, const char *name, const mpr_queue *q)
{
    mpr_handle h;

    check(mpr_handle_dup(&q->h, &h), name);
    mpr_lua_push(L, &h);
    lua_setglobal(L, name);
}

static void *work(void *unused)
{
    lua_State *L = luaL_newstate();

    (void)unused;
    luaL_openlibs(L);
    luaL_requiref(L, "mp", luaopen_mp, 0);
    share(L, "jobs", &jobs);
    share(L, "results", &results);
    if (luaL_dostring(L, script) != LUA_OK)
        fprintf(stderr, "%s\n", lua_tostring(L, -1));
    lua_close(L);
    return NULL;
}

static void put_integer(mpr_queue *q, int64_t n)
{
    uint8_t bytes[9];
    struct mpr_parcel parcel = {.bytes = bytes};

    parcel.size = (uint64_t)(mpr_put_integer(bytes, n) - bytes);
    check(mpr_queue_put(q, &parcel, MPR_FOREVER), "put");
}

static int64_t get_integer(mpr_queue *q, struct mpr_message *m)
{
    struct mpr_reader r;
    struct mpr_token token;

    check(mpr_queue_get(q, m, MPR_FOREVER), "get");
    r = mpr_reader_of(m->bytes, (size_t)m->size);
    check(mpr_read(&r, &token), "read");
    return token.integer;
}

int main(void)
{
    pthread_t thread[THREADS];
    struct mpr_message message = {0};
    int64_t sum = 0;

    check(mpr_queue_create(&jobs, 0, 0, "jobs"), "jobs");
    check(mpr_queue_create(&results, 0, 0, "results"), "results");
    for (int i = 0; i < THREADS; i++)
        if (pthread_create(&thread[i], NULL, work, NULL) != 0)
            return 1;
    for (int64_t n = 1; n <= NUMBERS; n++)
        put_integer(&jobs, n);
    mpr_queue_close(&jobs);
    for (int i = 0; i < NUMBERS; i++)
        sum += get_integer(&results, &message);
    for (int i = 0; i < THREADS; i++)
        pthread_join(thread[i], NULL);
    printf("%lld from %d threads\n", (long long)sum, THREADS);
    mpr_message_free(&message);
    mpr_handle_close(&jobs.h);
    mpr_handle_close(&results.h);
    mpr_leave();
    return 0;
}
