#include "os/os.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <unistd.h>

int mpri_random(void *buf, size_t size)
{
    unsigned char *p = buf;

    while (size > 0) {
        ssize_t n = getrandom(p, size, 0);

        if (n < 0) {
            if (errno == EINTR)
                continue;
            return -errno;
        }
        p += n;
        size -= (size_t)n;
    }
    return 0;
}

static bool read_text(const char *path, char *buf, size_t cap)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n;

    if (fd < 0)
        return false;
    n = read(fd, buf, cap - 1);
    close(fd);
    if (n < 0)
        return false;
    buf[n] = '\0';
    return true;
}

/* Calls visit(dir, out) for this process's control group directory of the
 * given controller ("" is the unified hierarchy, version 2) and for each of
 * its ancestors up to the root of the hierarchy. */
static void each_cgroup(const char *controller, const char *mount,
                        void (*visit)(const char *dir, void *out), void *out)
{
    char text[8192], dir[4096], path[4096] = "";
    char *line, *save = NULL;

    if (!read_text("/proc/self/cgroup", text, sizeof text))
        return;
    for (line = strtok_r(text, "\n", &save); line;
         line = strtok_r(NULL, "\n", &save)) {
        char *list = strchr(line, ':');
        char *at = list ? strchr(list + 1, ':') : NULL;
        bool ours = false;

        if (!at)
            continue;
        *list++ = *at++ = '\0';
        if (!*controller) {
            ours = !*list && line[0] == '0';
        } else {
            char *one, *more = NULL;

            for (one = strtok_r(list, ",", &more); one;
                 one = strtok_r(NULL, ",", &more))
                ours |= strcmp(one, controller) == 0;
        }
        if (ours) {
            snprintf(path, sizeof path, "%s", at);
            break;
        }
    }
    for (;;) {
        char *slash;

        if (snprintf(dir, sizeof dir, "%s%s", mount, path) < (int)sizeof dir)
            visit(dir, out);
        slash = strrchr(path, '/');
        if (!slash)
            return;
        *slash = '\0';
    }
}

static bool read_in(const char *dir, const char *name, char *buf, size_t cap)
{
    char path[4200];

    snprintf(path, sizeof path, "%s/%s", dir, name);
    return read_text(path, buf, cap);
}

static void quota_v2(const char *dir, void *out)
{
    char buf[64];
    double quota, period, *least = out;

    if (read_in(dir, "cpu.max", buf, sizeof buf) &&
        sscanf(buf, "%lf %lf", &quota, &period) == 2 && period > 0 &&
        quota / period < *least)
        *least = quota / period;
}

static void quota_v1(const char *dir, void *out)
{
    char buf[64];
    double quota, period, *least = out;

    if (!read_in(dir, "cpu.cfs_quota_us", buf, sizeof buf))
        return;
    quota = atof(buf);
    if (!read_in(dir, "cpu.cfs_period_us", buf, sizeof buf))
        return;
    period = atof(buf);
    if (quota > 0 && period > 0 && quota / period < *least)
        *least = quota / period;
}

int mpri_cpu_count(bool raw)
{
    cpu_set_t *set;
    int n = (int)sysconf(raw ? _SC_NPROCESSORS_CONF : _SC_NPROCESSORS_ONLN);
    double quota = 1e9;

    if (raw)
        return n > 0 ? n : 1;
    /* The mask may be wider than cpu_set_t: ask with growing ones. */
    for (int cpus = 1024; cpus <= 1 << 20; cpus *= 2) {
        size_t size = CPU_ALLOC_SIZE((size_t)cpus);
        bool done;

        set = CPU_ALLOC((size_t)cpus);
        if (!set)
            break;
        done = sched_getaffinity(0, size, set) == 0;
        if (done)
            n = CPU_COUNT_S(size, set);
        CPU_FREE(set);
        if (done || errno != EINVAL)
            break;
    }
    each_cgroup("", "/sys/fs/cgroup", quota_v2, &quota);
    each_cgroup("cpu", "/sys/fs/cgroup/cpu", quota_v1, &quota);
    if (quota < n) {
        n = (int)quota;
        if (n < quota)
            n++;
    }
    return n > 0 ? n : 1;
}

static void left_in(const char *dir, const char *max, const char *now,
                    uint64_t *least)
{
    char buf[64];
    unsigned long long cap, used, left;

    if (!read_in(dir, max, buf, sizeof buf) ||
        sscanf(buf, "%llu", &cap) != 1) /* "max": no limit */
        return;
    if (!read_in(dir, now, buf, sizeof buf) || sscanf(buf, "%llu", &used) != 1)
        return;
    left = cap > used ? cap - used : 0;
    if (left < *least)
        *least = left;
}

static void left_v2(const char *dir, void *out)
{
    left_in(dir, "memory.max", "memory.current", out);
}

static void left_v1(const char *dir, void *out)
{
    left_in(dir, "memory.limit_in_bytes", "memory.usage_in_bytes", out);
}

/* What the machine has left: to take more would wake the OOM killer. */
static void left_in_all(uint64_t *least)
{
    char buf[4096];
    const char *available, *swap;
    unsigned long long kib, swap_kib = 0;

    if (!read_text("/proc/meminfo", buf, sizeof buf))
        return;
    available = strstr(buf, "MemAvailable:");
    swap = strstr(buf, "SwapFree:");
    if (!available || sscanf(available, "MemAvailable: %llu", &kib) != 1)
        return;
    if (swap)
        sscanf(swap, "SwapFree: %llu", &swap_kib);
    if ((kib + swap_kib) * 1024 < *least)
        *least = (kib + swap_kib) * 1024;
}

uint64_t mpri_memory_left(void)
{
    uint64_t least = UINT64_MAX;

    left_in_all(&least);
    each_cgroup("", "/sys/fs/cgroup", left_v2, &least);
    each_cgroup("memory", "/sys/fs/cgroup/memory", left_v1, &least);
    return least;
}

int mpri_affinity_get(unsigned *cpus, unsigned max)
{
    cpu_set_t set;
    unsigned n = 0;

    if (sched_getaffinity(0, sizeof set, &set) < 0)
        return -errno;
    for (unsigned i = 0; i < CPU_SETSIZE; i++)
        if (CPU_ISSET(i, &set)) {
            if (n < max)
                cpus[n] = i;
            n++;
        }
    return (int)n;
}

int mpri_affinity_set(const unsigned *cpus, unsigned count)
{
    cpu_set_t set;

    CPU_ZERO(&set);
    for (unsigned i = 0; i < count; i++) {
        if (cpus[i] >= CPU_SETSIZE)
            return -EINVAL;
        CPU_SET(cpus[i], &set);
    }
    return sched_setaffinity(0, sizeof set, &set) < 0 ? -errno : 0;
}

int mpri_nice_add(int nice)
{
    int now;

    errno = 0; /* -1 is a priority, too */
    now = getpriority(PRIO_PROCESS, 0);
    if (errno)
        return -errno;
    return setpriority(PRIO_PROCESS, 0, now + nice) < 0 ? -errno : 0;
}
