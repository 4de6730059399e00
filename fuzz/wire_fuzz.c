/* libFuzzer on the reader of messages: any bytes are read without reading
 * beyond them, and what mpr_wire_check accepts is tokens to the end.
 *
 *     cmake --preset fuzz && ninja -C build/fuzz
 *     build/fuzz/wire_fuzz -max_total_time=600 */

#include "mpr.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static void expect(int what)
{
    if (!what)
        abort();
}

/* Reads all tokens, upvalues within functions too; whether that went well. */
static int read_all(struct mpr_reader r)
{
    struct mpr_token t;
    int err;

    while ((err = mpr_read(&r, &t)) > 0) {
        expect(r.at > r.begin && r.at <= r.end);
        if (t.bytes)
            expect(t.bytes >= r.begin && t.bytes <= r.end);
        if (t.tag == MPR_TAG_STRING)
            expect(t.count <= (uint64_t)(r.end - t.bytes));
        if (t.tag == MPR_TAG_FUNCTION && t.upvalues > 0)
            return 1; /* values lie between: mpr_wire_check knows how */
    }
    return err == 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct mpr_reader r = mpr_reader_of(bytes, size);

    if (mpr_wire_check(r) == 0)
        expect(read_all(r));
    else
        read_all(r);
    return 0;
}
