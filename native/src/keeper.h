/* The messages between a daemon and the process that keeps its descriptors and watches its devices. */
#ifndef BRN_KEEPER_H
#define BRN_KEEPER_H

#include <stdint.h>

#define KEEPER_NAME_BYTES 244
#define KEEPER_MAX 256

enum keeper_code {
    KEEPER_PUT = 1,  /* with a descriptor: keep it under this name, instead of one of that name */
    KEEPER_GET = 2,  /* answered with the descriptor, which is kept on, or without one */
    KEEPER_DROP = 3, /* close it */
    KEEPER_PUT_UBLK = 4, /* no descriptor but a ublk device, to be ended when its time is over */
    KEEPER_PUT_NBD = 5,  /* the same with an NBD device, whose identifier is the name */
};

/*
 * A request, and as an answer: the same, with a result (0 or a negative errno). A keeper may be older than its daemon:
 * neither the size nor what is here may change.
 */
struct keeper_message {
    int code;
    int result;
    unsigned patience_s; /* how long it is kept when the daemon has gone; 0: for ever */
    char name[KEEPER_NAME_BYTES];
    int device_index;
    uint32_t ublk_identity[2]; /* the lower half first */
};

_Static_assert(sizeof(struct keeper_message) == 268, "keeper_message");

/* One message; fd: a descriptor that goes with it, or -1. 0, a negative errno, or 1: end of stream. */
int keeper_send(int socket, const struct keeper_message *message, int fd);
int keeper_receive(int socket, struct keeper_message *message, int *fd);

#endif
