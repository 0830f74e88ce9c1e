/*
 * The nodes' state as crm_mon prints it, by the call that crm_mon makes. That call reads the whole CIB and lets the
 * scheduler's library make sense of it, over new connections to three of Pacemaker's daemons: tens of milliseconds of
 * processor in all. So it is made when the CIB has changed, which its attributes tell: its version, whether there is
 * quorum, who is DC.
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cluster.h"

/* What depends on the time as well, as rules and failures that expire, is seen so much later at most. */
static const int64_t LONGEST_REPEATED_NS = 60 * INT64_C(1000000000);

/* libcib, version 27: a connection and its functions. */
enum { CIB_QUERY = 1, CIB_NO_CHILDREN = 0x20, CIB_SCOPE_LOCAL = 0x100, CIB_SYNC_CALL = 0x1000 };

struct cib;
struct xml_node;

struct cib_functions {
    int (*sign_on)(struct cib *, const char *name, int kind);
    void *others[10];
    int (*query)(struct cib *, const char *section, struct xml_node **output, int options);
};

struct cib {
    int state[3];
    int call_id;
    int call_timeout;
    void *internals[4];
    const struct cib_functions *functions;
};

/* libxml2's node; only the document that it belongs to is of use here. */
struct xml_node {
    void *others[8];
    void *document;
};

static struct {
    struct cib *(*new)(void);
    void (*free)(struct cib *);
} cib;

static struct {
    void *(*new_buffer)(void);
    int (*dump)(void *, void *, struct xml_node *, int, int);
    const char *(*content)(void *);
    void (*free_buffer)(void *);
    void (*free_document)(void *);
} xml;

static int (*get_status)(struct xml_node **);

static struct cib *connection;

static struct {
    char *attributes;
    char *report;
    int64_t read_ns;
} last;

int status_load(void)
{
    static const char *const cib_functions[] = {"cib_new", "cib_delete", NULL};
    static const char *const xml_functions[] = {
        "xmlBufferCreate", "xmlNodeDump", "xmlBufferContent", "xmlBufferFree", "xmlFreeDoc", NULL};
    static const char *const status_functions[] = {"pcmk_status", NULL};
    return cluster_load("libcib.so.27", cib_functions, (void **)&cib) &&
           cluster_load("libxml2.so.2", xml_functions, (void **)&xml) &&
           cluster_load("libpacemaker.so.1", status_functions, (void **)&get_status);
}

/* As text, which is the caller's; the document is freed. NULL if there is none. */
static char *take_text(struct xml_node *node)
{
    if (node == NULL) {
        return NULL;
    }
    void *document = node->document;
    void *buffer = xml.new_buffer();
    char *text = NULL;
    if (buffer != NULL && xml.dump(buffer, document, node, 0, 1) > 0) {
        text = strdup(xml.content(buffer));
    }
    if (buffer != NULL) {
        xml.free_buffer(buffer);
    }
    xml.free_document(document);
    return text;
}

static int sign_on(void)
{
    connection = cib.new();
    return connection != NULL && connection->functions->sign_on(connection, "sbd", CIB_QUERY) == 0;
}

/* NULL if the CIB's daemon does not answer; then the next look connects anew. */
static char *ask_attributes(void)
{
    struct xml_node *node = NULL;
    int is_there = connection != NULL || sign_on();
    if (is_there) {
        int options = CIB_NO_CHILDREN | CIB_SCOPE_LOCAL | CIB_SYNC_CALL;
        is_there = connection->functions->query(connection, NULL, &node, options) == 0;
    }
    char *attributes = take_text(node);
    if (is_there && attributes != NULL) {
        return attributes;
    }
    free(attributes);
    if (connection != NULL) {
        cib.free(connection);
        connection = NULL;
    }
    return NULL;
}

static char *read_report(void)
{
    struct xml_node *result = NULL;
    return get_status(&result) == 0 ? take_text(result) : NULL;
}

void status_print(void)
{
    /*
     * In each look, before the last report is printed once more. Without it:
     * 1. the CIB's daemon hangs, so nothing changes for this process any more;
     * 2. the others lose this node, which its daemon can no longer tell;
     * 3. the report of before still says that all is well: the watchdog is fed, and they start its services.
     */
    char *attributes = ask_attributes();
    if (attributes == NULL) {
        return;
    }
    int64_t now = cluster_now_ns();
    if (last.report == NULL || strcmp(attributes, last.attributes) != 0 ||
        now - last.read_ns >= LONGEST_REPEATED_NS) {
        free(last.attributes);
        free(last.report);
        /* Read after the attributes: if the CIB changes in between, the next look reads it again. */
        last.attributes = attributes;
        last.report = read_report();
        last.read_ns = now;
    } else {
        free(attributes);
    }
    if (last.report == NULL) {
        return;
    }
    puts(last.report);
    /* So it also looks if the CIB could not be read after all: nothing to repeat. */
    if (strstr(last.report, "<current_dc present=\"true\"") == NULL) {
        free(last.report);
        last.report = NULL;
    }
}
