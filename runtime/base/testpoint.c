#include "base/testpoint.h"
#include "mpr.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

int mpri_testpoint_armed;

static struct {
    char name[48]; /* the point to act at; "*" is every point */
    uint32_t left; /* passes until it acts */
    int signo;
} armed;

int mpr_testpoint_arm(const char *name, uint32_t nth, int signo)
{
    size_t size;

    if (!name) {
        int was = mpri_testpoint_armed;

        mpri_testpoint_armed = 0;
        return was;
    }
    size = strlen(name) + 1;
    if (size > sizeof armed.name || nth == 0)
        return -EINVAL;
    memcpy(armed.name, name, size);
    armed.left = nth;
    armed.signo = signo;
    mpri_testpoint_armed = 1;
    return 0;
}

/* Whether this is the pass that was asked for. */
static bool comes(const char *name)
{
    if (strcmp(armed.name, "*") != 0 && strcmp(armed.name, name) != 0)
        return false;
    if (--armed.left > 0)
        return false;
    mpri_testpoint_armed = 0;
    return true;
}

void mpri_testpoint_pass(const char *name)
{
    if (armed.signo != 0 && comes(name))
        kill(getpid(), armed.signo);
}

bool mpri_testpoint_short(const char *name)
{
    return armed.signo == 0 && comes(name);
}
