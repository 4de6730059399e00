#include "base/err.h"
#include "mpr.h"

#include <string.h>

const char *mpr_err_word(int err)
{
    switch (-err) {
#define X(code, word, text) \
    case code:              \
        return word;
        MPRI_ERRORS(X)
#undef X
    }
    return NULL;
}

const char *mpr_err_text(int err)
{
    switch (-err) {
#define X(code, word, text) \
    case code:              \
        return text;
        MPRI_ERRORS(X)
#undef X
    case EFBIG:
        return "larger than the limit of file sizes (ulimit -f) allows";
    }
    return strerror(-err);
}
