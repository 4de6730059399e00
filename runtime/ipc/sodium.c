#ifdef MPR_SODIUM

#include "ipc/sodium.h"

#include <dlfcn.h>
#include <pthread.h>
#include <string.h>

static struct mpri_sodium functions;
static const struct mpri_sodium *loaded; /* Guarded by: once */
static pthread_once_t once = PTHREAD_ONCE_INIT;

/* ISO C has no cast from an object's pointer to a function's. */
static int find(void *library, const char *name, void *function)
{
    void *found = dlsym(library, name);

    memcpy(function, &found, sizeof found);
    return found != NULL;
}

static void load(void)
{
    void *library = dlopen(MPR_SODIUM, RTLD_NOW | RTLD_LOCAL);
    int all = library != NULL;

#define FIND(name) all = all && find(library, #name, &functions.name);
    MPRI_SODIUM_FUNCTIONS(FIND)
#undef FIND
    if (all && functions.sodium_init() >= 0)
        loaded = &functions;
    else if (library)
        dlclose(library);
}

const struct mpri_sodium *mpri_sodium(void)
{
    pthread_once(&once, load);
    return loaded;
}

#else

typedef int mpri_no_sodium; /* a file must not be empty */

#endif
