/* A game's frame loop at 60 Hz, with two processes that compute for it all the
 * time. Each frame hands tasks out and gives mp at most 2 ms to run the
 * callbacks of those that are done.
 *
 *     cmake -S . -B build -DCMAKE_PREFIX_PATH=PREFIX && cmake --build build
 *     build/host_game [FRAMES]         prints how long mp took in how many frames
 *
 * The frame's own work is a stand-in: it burns a quarter of the frame. */
#include <lauxlib.h>
#include <lualib.h>
#include <mpr_lua.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { FRAME_NS = 1000000000 / 60, OWN_WORK_NS = FRAME_NS / 4 };

static const char game[] =
    "local mp = require 'mp'\n"
    "local pool = mp.Pool {\n"
    "  processes = 2, nice = 10, context = mp.get_context 'spawn',\n"
    "}\n"
    "local sent, done, right = 0, 0, 0\n"
    "\n"
    "local function sum_to(n)\n"
    "  local sum = 0\n"
    "  for i = 1, n do sum = sum + i end\n"
    "  return sum\n"
    "end\n"
    "\n"
    "local function ask(n)\n"
    "  sent = sent + 1\n"
    "  pool:apply_async(sum_to, { n }, {\n"
    "    callback = function(sum)\n"
    "      done = done + 1\n"
    "      if sum == n * (n + 1) // 2 then right = right + 1 end\n"
    "    end,\n"
    "  })\n"
    "end\n"
    "\n"
    "function frame()\n"
    "  while sent - done < 4 do ask(500000 + sent) end\n"
    "  mp.poll(0.002)\n"
    "end\n"
    "\n"
    "function finish()\n"
    "  pool:close()\n"
    "  pool:join()\n"
    "  mp.poll()\n"
    "  return sent, done, right\n"
    "end\n";

static int64_t now_ns(clockid_t clock)
{
    struct timespec t;

    clock_gettime(clock, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static void sleep_until(int64_t ns)
{
    struct timespec t = {
        .tv_sec = (time_t)(ns / 1000000000),
        .tv_nsec = (long)(ns % 1000000000),
    };

    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL) != 0)
        ;
}

/* How many frames took so long. */

static const double limit_ms[] = {0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5};

enum { BINS = sizeof limit_ms / sizeof *limit_ms + 1 };

struct histogram {
    const char *what;
    unsigned frames[BINS];
    double worst_ms;
};

static void note(struct histogram *h, int64_t ns)
{
    double ms = ns / 1e6;
    int bin = 0;

    while (bin < BINS - 1 && ms >= limit_ms[bin])
        bin++;
    h->frames[bin]++;
    if (ms > h->worst_ms)
        h->worst_ms = ms;
}

static void print(const struct histogram *h)
{
    printf("%s, at worst %.3f ms\n", h->what, h->worst_ms);
    for (int i = 0; i < BINS; i++) {
        if (i < BINS - 1)
            printf("  < %4.2f ms", limit_ms[i]);
        else
            printf("  longer   ");
        printf(" %6u frames\n", h->frames[i]);
    }
}

static void call(lua_State *L, const char *function, int results)
{
    lua_getglobal(L, function);
    if (lua_pcall(L, 0, results, 0) != LUA_OK) {
        fprintf(stderr, "%s\n", lua_tostring(L, -1));
        lua_close(L);
        exit(1);
    }
}

static void play(lua_State *L, int frames)
{
    struct histogram in_mp = {.what = "in mp, per frame"};
    struct histogram computing = {.what = "of that, on a CPU"};
    struct histogram late = {.what = "frames begun late"};
    int64_t next = now_ns(CLOCK_MONOTONIC);

    for (int i = 0; i < frames; i++) {
        int64_t begin, end, cpu;

        sleep_until(next);
        begin = now_ns(CLOCK_MONOTONIC);
        note(&late, begin - next);
        cpu = now_ns(CLOCK_THREAD_CPUTIME_ID);
        call(L, "frame", 0);
        note(&computing, now_ns(CLOCK_THREAD_CPUTIME_ID) - cpu);
        end = now_ns(CLOCK_MONOTONIC);
        note(&in_mp, end - begin);
        while (now_ns(CLOCK_MONOTONIC) - end < OWN_WORK_NS)
            ;
        next += FRAME_NS;
    }
    print(&in_mp);
    print(&computing);
    print(&late);
}

int main(int argc, char **argv)
{
    static const struct mpr_host host = {.size = sizeof host};
    int code = mpr_host_main(argc, argv, &host);
    lua_State *L;

    if (code >= 0)
        return code; /* this process was a worker */
    L = luaL_newstate();
    luaL_openlibs(L);
    luaL_requiref(L, "mp", luaopen_mp, 0);
    if (luaL_dostring(L, game) != LUA_OK) {
        fprintf(stderr, "%s\n", lua_tostring(L, -1));
        lua_close(L);
        return 1;
    }
    play(L, argc > 1 ? atoi(argv[1]) : 600);
    call(L, "finish", 3);
    printf("%lld tasks, %lld done, %lld right\n", lua_tointeger(L, -3),
           lua_tointeger(L, -2), lua_tointeger(L, -1));
    lua_close(L);
    return 0;
}
