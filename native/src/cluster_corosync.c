/* Corosync: who else runs sbd, by membership of a group of processes; and what the quorum's settings are. */
#define _GNU_SOURCE
#include <ctype.h>
#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cluster.h"

/* libcpg and libcmap, version 4 of both. */
enum { CS_OK = 1, CS_ERR_NOT_EXIST = 12, CS_DISPATCH_ALL = 2, CPG_MEMBERS_MAX = 128 };

struct cpg_name {
    uint32_t length;
    char value[128];
};

struct cpg_address {
    uint32_t nodeid;
    uint32_t pid;
    uint32_t reason;
};

struct cpg_callbacks {
    void (*deliver)(uint64_t, const struct cpg_name *, uint32_t, uint32_t, void *, size_t);
    void (*confchg)(uint64_t, const struct cpg_name *, const struct cpg_address *, size_t, const struct cpg_address *,
                    size_t, const struct cpg_address *, size_t);
};

static struct {
    int (*initialize)(uint64_t *, struct cpg_callbacks *);
    int (*finalize)(uint64_t);
    int (*join)(uint64_t, const struct cpg_name *);
    int (*dispatch)(uint64_t, int);
    int (*membership_get)(uint64_t, struct cpg_name *, struct cpg_address *, int *);
} cpg;

static struct {
    int (*initialize)(uint64_t *);
    int (*finalize)(uint64_t);
    int (*get_uint8)(uint64_t, const char *, uint8_t *);
    int (*get_uint32)(uint64_t, const char *, uint32_t *);
    int (*get_string)(uint64_t, const char *, char **);
} cmap;

/* ClusterLabs' sbd joins the same group, so that each sees nodes that run the other; it counts the final zero. */
static struct cpg_name group = {.length = sizeof "sbd:cluster", .value = "sbd:cluster"};
static uint64_t group_handle;
static uint64_t map_handle;
static int is_connected;

int corosync_load(void)
{
    static const char *const group_functions[] = {
        "cpg_initialize", "cpg_finalize", "cpg_join", "cpg_dispatch", "cpg_membership_get", NULL};
    static const char *const map_functions[] = {
        "cmap_initialize", "cmap_finalize", "cmap_get_uint8", "cmap_get_uint32", "cmap_get_string", NULL};
    return cluster_load("libcpg.so.4", group_functions, (void **)&cpg) &&
           cluster_load("libcmap.so.4", map_functions, (void **)&cmap);
}

static void ignore_message(uint64_t handle, const struct cpg_name *name, uint32_t node, uint32_t pid, void *message,
                           size_t length)
{
    (void)handle, (void)name, (void)node, (void)pid, (void)message, (void)length;
}

static void ignore_change(uint64_t handle, const struct cpg_name *name, const struct cpg_address *members,
                          size_t member_count, const struct cpg_address *left, size_t left_count,
                          const struct cpg_address *joined, size_t joined_count)
{
    /* Each look asks for all members. */
    (void)handle, (void)name, (void)members, (void)member_count, (void)left, (void)left_count, (void)joined,
        (void)joined_count;
}

static int connect_corosync(void)
{
    struct cpg_callbacks callbacks = {.deliver = ignore_message, .confchg = ignore_change};
    if (cpg.initialize(&group_handle, &callbacks) != CS_OK) {
        return 0;
    }
    if (cmap.initialize(&map_handle) != CS_OK) {
        cpg.finalize(group_handle);
        return 0;
    }
    is_connected = 1;
    return cpg.join(group_handle, &group) == CS_OK;
}

static void disconnect_corosync(void)
{
    if (is_connected) {
        is_connected = 0;
        cpg.finalize(group_handle);
        cmap.finalize(map_handle);
    }
}

static int is_seen_before(const struct cpg_address *members, int at)
{
    for (int i = 0; i < at; i++) {
        if (members[i].nodeid == members[at].nodeid) {
            return 1;
        }
    }
    return 0;
}

/* Nodes in the group, -1 if corosync does not tell. A process that was killed may be there beside its successor. */
static int count_members(void)
{
    struct cpg_address members[CPG_MEMBERS_MAX];
    int count = 0;
    int nodes = 0;
    if (cpg.dispatch(group_handle, CS_DISPATCH_ALL) != CS_OK ||
        cpg.membership_get(group_handle, &group, members, &count) != CS_OK) {
        return -1;
    }
    for (int i = 0; i < count; i++) {
        nodes += !is_seen_before(members, i);
    }
    return nodes;
}

/* Returns 0 if corosync does not tell. */
static int read_settings(uint8_t *two_node, uint32_t *qdevice_ms)
{
    char *model = NULL;
    *two_node = 0;
    *qdevice_ms = 0;
    int got = cmap.get_uint8(map_handle, "quorum.two_node", two_node);
    if (got != CS_OK && got != CS_ERR_NOT_EXIST) {
        return 0;
    }
    if (cmap.get_string(map_handle, "quorum.device.model", &model) != CS_OK) {
        return 1;
    }
    free(model);
    if (cmap.get_uint32(map_handle, "quorum.device.sync_timeout", qdevice_ms) != CS_OK) {
        *qdevice_ms = 30000;
    }
    return 1;
}

static int runs_remoted(void)
{
    DIR *processes = opendir("/proc");
    struct dirent *entry;
    int found = 0;
    while (processes != NULL && !found && (entry = readdir(processes)) != NULL) {
        char path[64];
        char program[256] = "";
        if (isdigit((unsigned char)entry->d_name[0])) {
            snprintf(path, sizeof path, "/proc/%.20s/exe", entry->d_name);
            (void)!readlink(path, program, sizeof program - 1);
            const char *name = strrchr(program, '/');
            found = name != NULL && strcmp(name, "/pacemaker-remoted") == 0;
        }
    }
    if (processes != NULL) {
        closedir(processes);
    }
    return found;
}

void corosync_look(void)
{
    int64_t began = cluster_now_ns();
    uint8_t two_node;
    uint32_t qdevice_ms;
    int members = is_connected || connect_corosync() ? count_members() : -1;
    if (members >= 0 && read_settings(&two_node, &qdevice_ms)) {
        printf("look %" PRId64 " corosync %d %d %u\n", began, members, two_node, qdevice_ms);
        return;
    }
    disconnect_corosync();
    printf("look %" PRId64 " %s\n", began, runs_remoted() ? "remoted" : "none corosync does not answer");
}
