/* libFuzzer on the handshake: a peer that does not know the key is refused,
 * whatever it says, by a listener and by a client. The first byte says which.
 * Built as wire_fuzz.c says. */

#include "peer.h"

#include "ipc/channel.h"

#include <errno.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    uint8_t send_key[MPRI_SESSION_KEY], receive_key[MPRI_SESSION_KEY];
    int peer, fd, r, listener;

    if (size == 0)
        return 0;
    listener = bytes[0] & 1;
    fd = peer_says(bytes + 1, size - 1, &peer);
    r = mpri_channel_handshake(fd, listener, "key", 3, send_key, receive_key,
                               MPR_FOREVER);
    if (mpri_channel_has_keys())
        expect(r == -EACCES || r == -EPROTO || r == -EPIPE);
    else
        expect(r == -ENOTSUP);
    close(fd);
    close(peer);
    return 0;
}
