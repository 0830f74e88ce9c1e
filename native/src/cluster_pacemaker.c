/* Pacemaker: a ping to its first daemon, which also waits for one from sbd; and the nodes' state. */
#define _GNU_SOURCE
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <time.h>

#include "cluster.h"

/* libcrmcommon, version 34: Pacemaker 2.1. */
enum { SERVER_PACEMAKERD = 5, DISPATCH_POLL = 1, EVENT_REPLY = 2, REPLY_PING = 1 };
enum { STATE_RUNNING = 3, STATE_SHUTTING_DOWN = 4, STATE_SHUT_DOWN = 5 };

enum { PING_MS = 2000 };

struct ping_reply {
    int kind;
    const char *from;
    int state;
    time_t last_good;
    int status;
};

typedef void (*ipc_callback)(void *, int, int, void *, void *);

static struct {
    int (*new_api)(void **, int);
    void (*free_api)(void *);
    void (*register_callback)(void *, ipc_callback, void *);
    int (*connect)(void *, int);
    bool (*is_connected)(void *);
    int (*ping)(void *, const char *);
    int (*poll)(void *, int);
    void (*dispatch)(void *);
} ipc;

static void *connection;

int pacemaker_load(void)
{
    static const char *const ipc_functions[] = {
        "pcmk_new_ipc_api", "pcmk_free_ipc_api", "pcmk_register_ipc_callback", "pcmk_connect_ipc",
        "pcmk_ipc_is_connected", "pcmk_pacemakerd_api_ping", "pcmk_poll_ipc", "pcmk_dispatch_ipc", NULL};
    return cluster_load("libcrmcommon.so.34", ipc_functions, (void **)&ipc) && status_load();
}

static void on_event(void *api, int event, int status, void *data, void *user)
{
    (void)api;
    struct ping_reply *reply = data;
    if (event == EVENT_REPLY && status == 0 && reply->kind == REPLY_PING) {
        *(struct ping_reply *)user = *reply;
    }
}

static void disconnect(void)
{
    ipc.free_api(connection);
    connection = NULL;
}

static void ask(struct ping_reply *reply)
{
    if (connection == NULL &&
        (ipc.new_api(&connection, SERVER_PACEMAKERD) != 0 || ipc.connect(connection, DISPATCH_POLL) != 0)) {
        return;
    }
    ipc.register_callback(connection, on_event, reply);
    /* pacemakerd knows sbd by this name, and starts nothing before it has heard it. */
    if (ipc.ping(connection, "sbd:pcmk") != 0) {
        return;
    }
    /* The library's own wait for the answer would keep the processor busy until it comes. */
    while (reply->state < 0 && ipc.is_connected(connection) && ipc.poll(connection, PING_MS) == 0) {
        ipc.dispatch(connection);
    }
}

static int ping(struct ping_reply *reply)
{
    reply->state = -1;
    ask(reply);
    /*
     * An answer that comes too late must not be taken for the one to the next ping. And at its shutdown pacemakerd
     * waits until the connection is closed that has heard of it.
     */
    if (reply->state < 0 || reply->state == STATE_SHUT_DOWN) {
        disconnect();
    }
    return reply->state >= 0;
}

void pacemaker_look(void)
{
    int64_t began = cluster_now_ns();
    struct ping_reply reply;
    if (!ping(&reply)) {
        printf("look %" PRId64 " none pacemakerd does not answer\n", began);
        return;
    }
    printf("look %" PRId64 " pacemakerd %d %" PRId64 "\n", began, reply.state,
           (int64_t)time(NULL) - (int64_t)reply.last_good);
    if (reply.state == STATE_RUNNING || reply.state == STATE_SHUTTING_DOWN) {
        status_print();
    }
}
