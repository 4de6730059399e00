/* What hosts do to a library, in one program:
 *
 *     stress start COUNT    starts so many children while 8 threads use malloc,
 *                           stdio and mp
 *     stress states COUNT   opens and closes so many Lua states with mp, in
 *                           two threads; nothing is left of them
 *     stress close          closes a state whose workers never end
 *
 * Run by host_stress_spec.lua. */
#include <dirent.h>
#include <lauxlib.h>
#include <lualib.h>
#include <mpr_lua.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { THREADS = 8 };

static void check(int ok, const char *what)
{
    if (!ok) {
        fprintf(stderr, "failed: %s\n", what);
        _exit(1);
    }
}

static lua_State *new_state(void)
{
    lua_State *L = luaL_newstate();

    check(L != NULL, "luaL_newstate");
    luaL_openlibs(L);
    luaL_requiref(L, "mp", luaopen_mp, 0);
    lua_pop(L, 1);
    return L;
}

static void run(lua_State *L, const char *code)
{
    if (luaL_dostring(L, code) != LUA_OK) {
        fprintf(stderr, "%s\n", lua_tostring(L, -1));
        _exit(1);
    }
}

/* ---- start */

static atomic_int over;
static mpr_queue queue;

/* Has malloc's, stdio's and the runtime's locks most of the time. */
static void *busy(void *unused)
{
    struct mpr_message m = {0};
    FILE *f = fopen("/dev/null", "w");
    uint32_t actor;
    mpr_lock lock;

    (void)unused;
    check(f && mpr_actor_new(&actor) == 0 && mpr_lock_create(&lock, NULL) == 0,
          "a thread's things");
    while (!over) {
        char *p = malloc(5000);
        struct mpr_parcel parcel = {.bytes = "hello", .size = 5};

        check(p != NULL, "malloc");
        memset(p, 1, 5000);
        fprintf(f, "%p %d\n", (void *)p, p[4999]);
        fflush(f);
        free(p);
        check(mpr_lock_acquire(&lock, actor, MPR_FOREVER) == 0, "acquire");
        check(mpr_queue_put(&queue, &parcel, MPR_FOREVER) == 0, "put");
        check(mpr_queue_get(&queue, &m, MPR_FOREVER) == 0, "get");
        check(mpr_lock_release(&lock, actor) == 0, "release");
    }
    mpr_message_free(&m);
    mpr_handle_close(&lock.h);
    mpr_actor_free(actor);
    fclose(f);
    return NULL;
}

static void start(int count)
{
    pthread_t thread[THREADS];
    lua_State *L = new_state();

    check(mpr_queue_create(&queue, 0, 0, NULL) == 0, "queue");
    for (int i = 0; i < THREADS; i++)
        check(pthread_create(&thread[i], NULL, busy, NULL) == 0, "thread");
    lua_pushinteger(L, count);
    lua_setglobal(L, "count");
    run(L, "local mp = require 'mp'\n"
           "for i = 1, count do\n"
           "  local p <close> = mp.spawn(function(n) return n + 1 end, i)\n"
           "  assert(p:result(60) == i + 1)\n"
           "end\n"
           "print(mp.get_start_method(), count)\n");
    over = 1;
    for (int i = 0; i < THREADS; i++)
        pthread_join(thread[i], NULL);
    lua_close(L);
    mpr_handle_close(&queue.h);
    mpr_leave();
}

/* ---- states */

static int entries(const char *directory)
{
    DIR *d = opendir(directory);
    int n = 0;

    check(d != NULL, directory);
    while (readdir(d))
        n++;
    closedir(d);
    return n;
}

static long resident_kib(void)
{
    FILE *f = fopen("/proc/self/statm", "r");
    long all, pages;

    check(f && fscanf(f, "%ld %ld", &all, &pages) == 2, "statm");
    fclose(f);
    return pages * (sysconf(_SC_PAGESIZE) / 1024);
}

static void *open_and_close(void *arg)
{
    for (int i = *(int *)arg; i > 0; i--) {
        lua_State *L = new_state();

        run(L, "local mp = require 'mp'\n"
               "local q, a, b = mp.Queue(), mp.Pipe()\n"
               "q:put { a, mp.Lock(), mp.dict { x = 1 } }\n"
               "mp.poll()\n");
        lua_close(L);
    }
    return NULL;
}

static void in_two_threads(int count)
{
    pthread_t thread[2];

    for (int i = 0; i < 2; i++)
        check(pthread_create(&thread[i], NULL, open_and_close, &count) == 0,
              "thread");
    for (int i = 0; i < 2; i++)
        pthread_join(thread[i], NULL);
}

static void states(int count)
{
    struct mpr_stats before, after;
    int descriptors;
    long kib;

    /* What is made once, and what malloc keeps for later, is there then. */
    in_two_threads(50);
    descriptors = entries("/proc/self/fd");
    kib = resident_kib();
    check(mpr_stats(&before) == 0, "stats");
    in_two_threads(count / 2);
    check(mpr_stats(&after) == 0, "stats");
    check(entries("/proc/self/fd") == descriptors, "descriptors");
    check(entries("/proc/self/task") == 3, "threads"); /* and "." and ".." */
    check(after.holds == before.holds, "holds");
    for (unsigned i = 0; i < MPR_KIND_END; i++)
        check(after.objects[i] == before.objects[i], mpr_kind_name(i));
    check(mpr_check() == 0, "the arena");
    /* 100 bytes a state would be found in the long form. */
    check(resident_kib() - kib < 1024, "memory");
    printf("%d states\n", count);
    mpr_leave();
}

/* ---- close */

static void close_busy(void)
{
    lua_State *L = new_state();
    int64_t begin;

    run(L, "local mp = require 'mp'\n"
           "local ctx = mp.get_context 'fork'\n"
           "local q = mp.Queue()\n"
           "local function for_ever() q:put(1) while true do end end\n"
           "pool = ctx.Pool(2)\n"
           "pool:apply_async(for_ever)\n"
           "daemon = ctx.Process { target = for_ever, daemon = true }:start()\n"
           "child = ctx.spawn(for_ever)\n"
           "for _ = 1, 3 do assert(q:get(30)) end\n"
           "pid = child.pid\n");
    lua_getglobal(L, "pid");
    printf("%lld\n", lua_tointeger(L, -1)); /* it is left running */
    begin = mpr_now();
    lua_close(L);
    printf("%.1f\n", (double)(mpr_now() - begin) / 1e9);
    mpr_leave();
}

int main(int argc, char **argv)
{
    static const struct mpr_host host = {.size = sizeof host};
    int code = mpr_host_main(argc, argv, &host);
    int count = argc > 2 ? atoi(argv[2]) : 0;

    if (code >= 0)
        return code;
    if (argc > 1 && strcmp(argv[1], "start") == 0)
        start(count);
    else if (argc > 1 && strcmp(argv[1], "states") == 0)
        states(count);
    else if (argc > 1 && strcmp(argv[1], "close") == 0)
        close_busy();
    else
        return 2;
    return 0;
}
