/* libFuzzer on the reader of frames: whatever a peer sends on a connection, each
 * message that comes out is as long as was allowed at most, and the end is an
 * error, without a leak. Built as wire_fuzz.c says. */

#include "peer.h"

#include "ipc/channel.h"

#include <errno.h>

enum { MAX = 100000 };

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct mpr_message m = {0};
    mpr_channel c;
    int peer, fd, r;

    expect(mpr_open() == 0);
    fd = peer_says(bytes, size, &peer);
    expect(mpri_channel_make(&c, fd) == 0);
    while ((r = mpr_channel_receive(&c, &m, MAX, MPR_FOREVER)) == 0) {
        uint8_t sum = 0;

        expect(m.size <= MAX && m.ref_count == 0);
        for (uint64_t i = 0; i < m.size; i++) /* all of it can be read */
            sum = (uint8_t)(sum + m.bytes[i]);
        (void)sum;
    }
    expect(r == -EPIPE || r == -EBADMSG || r == -EMSGSIZE);
    /* What was broken off cannot be gone on with. */
    expect(mpr_channel_receive(&c, &m, MAX, 0) < 0);
    mpr_message_free(&m);
    mpr_channel_close(&c);
    close(peer);
    return 0;
}
