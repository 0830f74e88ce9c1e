/* Messages to and from the kernel's NBD client; apart from the socket so that they can be tested without a kernel. */
#ifndef BRN_NBD_H
#define BRN_NBD_H

#include <stddef.h>

#include "blockrepl_native.h"

#define NBD_MESSAGE_ROOM 1024u

struct nbd_answer {
    int32_t error;    /* zero or a negative errno, from the acknowledgement */
    int32_t ended;    /* the acknowledgement has come: nothing follows */
    int32_t family;   /* number of the family, or -1 */
    int32_t index;    /* of the device, or -1 */
    int32_t connected; /* what STATUS tells of it, or -1 */
};

/* Each builds a whole message and returns its length, or zero if it does not fit. */
size_t nbd_build_family(void *buffer, size_t room, uint32_t sequence);
size_t nbd_build(
    void *buffer, size_t room, uint16_t family, uint32_t sequence, uint8_t command, const brn_nbd_config *config,
    const char *identifier);

/* Adds what the messages in a datagram tell. -EBADMSG: they are not what a kernel sends. */
int nbd_parse(const void *buffer, size_t length, uint16_t family, uint32_t sequence, struct nbd_answer *answer);

#endif
