/*
 * Pacemaker: a ping to its first daemon, which also waits for one from sbd; and the nodes' state, by the call that
 * crm_mon makes: that program would do as well, but takes ten times the processor for each look.
 */
#define _GNU_SOURCE
#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#include "cluster.h"

/* libcrmcommon, version 34: Pacemaker 2.1. */
enum { SERVER_PACEMAKERD = 5, DISPATCH_POLL = 1, EVENT_REPLY = 2, REPLY_PING = 1 };
enum { STATE_RUNNING = 3, STATE_SHUTTING_DOWN = 4 };

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
    int (*ping)(void *, const char *);
    int (*poll)(void *, int);
    void (*dispatch)(void *);
} ipc;

/* libxml2's node; only the document that it belongs to is of use here. */
struct xml_node {
    void *others[8];
    void *document;
};

static struct {
    void *(*new_buffer)(void);
    int (*dump)(void *, void *, struct xml_node *, int, int);
    const unsigned char *(*content)(void *);
    void (*free_buffer)(void *);
    void (*free_document)(void *);
    int (*get)(struct xml_node **);
} report;

int pacemaker_load(void)
{
    static const char *const ipc_functions[] = {
        "pcmk_new_ipc_api", "pcmk_free_ipc_api", "pcmk_register_ipc_callback", "pcmk_connect_ipc",
        "pcmk_pacemakerd_api_ping", "pcmk_poll_ipc", "pcmk_dispatch_ipc", NULL};
    static const char *const xml_functions[] = {
        "xmlBufferCreate", "xmlNodeDump", "xmlBufferContent", "xmlBufferFree", "xmlFreeDoc", NULL};
    static const char *const status_functions[] = {"pcmk_status", NULL};
    return cluster_load("libcrmcommon.so.34", ipc_functions, (void **)&ipc) &&
           cluster_load("libxml2.so.2", xml_functions, (void **)&report) &&
           cluster_load("libpacemaker.so.1", status_functions, (void **)&report.get);
}

static void on_event(void *api, int event, int status, void *data, void *user)
{
    (void)api;
    struct ping_reply *reply = data;
    if (event == EVENT_REPLY && status == 0 && reply->kind == REPLY_PING) {
        *(struct ping_reply *)user = *reply;
    }
}

/*
 * A connection for each ping: at its shutdown pacemakerd waits until the one that has heard of it is closed. The
 * library's own wait for the answer would keep the processor busy until it comes.
 */
static int ping(struct ping_reply *reply)
{
    void *api = NULL;
    reply->state = -1;
    if (ipc.new_api(&api, SERVER_PACEMAKERD) != 0) {
        return 0;
    }
    ipc.register_callback(api, on_event, reply);
    /* pacemakerd knows sbd by this name, and starts nothing before it has heard it. */
    if (ipc.connect(api, DISPATCH_POLL) == 0 && ipc.ping(api, "sbd:pcmk") == 0) {
        while (reply->state < 0 && ipc.poll(api, PING_MS) == 0) {
            ipc.dispatch(api);
        }
    }
    ipc.free_api(api);
    return reply->state >= 0;
}

/* The nodes' state as crm_mon prints it. */
static void print_status(void)
{
    struct xml_node *result = NULL;
    if (report.get(&result) != 0 || result == NULL) {
        return;
    }
    void *document = result->document;
    void *text = report.new_buffer();
    if (text != NULL && report.dump(text, document, result, 0, 1) > 0) {
        puts((const char *)report.content(text));
    }
    if (text != NULL) {
        report.free_buffer(text);
    }
    report.free_document(document);
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
        print_status();
    }
}
