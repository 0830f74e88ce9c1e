/* The messages between a daemon and the process that keeps its descriptors. */
#ifndef BRN_KEEPER_H
#define BRN_KEEPER_H

#define KEEPER_NAME_BYTES 256
#define KEEPER_MAX 256

enum keeper_code {
    KEEPER_PUT = 1,  /* with a descriptor: keep it under this name, instead of one of that name */
    KEEPER_GET = 2,  /* answered with the descriptor, which is kept on, or without one */
    KEEPER_DROP = 3, /* close it */
};

/* A request, and as an answer: the same, with a result (0 or a negative errno). */
struct keeper_message {
    int code;
    int result;
    unsigned patience_s; /* PUT: how long it is kept when the daemon has gone; 0: for ever */
    char name[KEEPER_NAME_BYTES];
};

/* One message; fd: a descriptor that goes with it, or -1. 0, a negative errno, or 1: end of stream. */
int keeper_send(int socket, const struct keeper_message *message, int fd);
int keeper_receive(int socket, struct keeper_message *message, int *fd);

#endif
