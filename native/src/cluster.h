/* What the parts of blockrepl-cluster share. Times are nanoseconds of CLOCK_BOOTTIME. */
#ifndef BRN_CLUSTER_H
#define BRN_CLUSTER_H

#include <stdint.h>

/* Loads what is needed; says on standard output what is missing, and returns 0 then. */
int corosync_load(void);
int pacemaker_load(void);

/* One look, told on standard output. */
void corosync_look(void);
void pacemaker_look(void);

/* What Pacemaker knows of its nodes; prints nothing if it cannot be had. */
int status_load(void);
void status_print(void);

int64_t cluster_now_ns(void);

/* Opens a library and finds functions in it; the names end with NULL. Returns 0 and says why if one is missing. */
int cluster_load(const char *library, const char *const *names, void **functions);

#endif
