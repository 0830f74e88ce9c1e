/* Threads with a descriptor table of their own. */
#define _GNU_SOURCE
#include "apart.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef __NR_close_range
#define __NR_close_range 436
#endif
#define CLOSE_UNSHARE 2u
#define STACK_BYTES (128u * 1024u)

struct apart {
    int (*job)(void *argument);
    void *argument;
    int result;
};

static int leave_descriptors(void)
{
    if (syscall(__NR_close_range, 0u, ~0u, CLOSE_UNSHARE) == 0) {
        return 0;
    }
    if (unshare(CLONE_FILES) != 0) {
        return -errno;
    }
    struct rlimit limit;
    int end = getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < 1048576 ? (int)limit.rlim_cur : 1048576;
    for (int fd = 0; fd < end; fd++) {
        close(fd);
    }
    return 0;
}

static void *apart_main(void *argument)
{
    struct apart *apart = argument;
    apart->result = leave_descriptors();
    if (apart->result == 0) {
        apart->result = apart->job(apart->argument);
    }
    return NULL;
}

static void *detached_main(void *argument)
{
    apart_main(argument);
    free(argument);
    return NULL;
}

static int start(struct apart *apart, pthread_t *thread, int detached)
{
    pthread_attr_t attributes;
    int error = pthread_attr_init(&attributes);
    if (error != 0) {
        return -error;
    }
    pthread_attr_setstacksize(&attributes, STACK_BYTES);
    pthread_attr_setdetachstate(&attributes, detached ? PTHREAD_CREATE_DETACHED : PTHREAD_CREATE_JOINABLE);
    error = pthread_create(thread, &attributes, detached ? detached_main : apart_main, apart);
    pthread_attr_destroy(&attributes);
    return -error;
}

int run_apart(int (*job)(void *argument), void *argument)
{
    struct apart apart = {job, argument, 0};
    pthread_t thread;
    int error = start(&apart, &thread, 0);
    if (error != 0) {
        return error;
    }
    pthread_join(thread, NULL);
    return apart.result;
}

int start_apart(int (*job)(void *argument), void *argument)
{
    struct apart *apart = malloc(sizeof *apart);
    if (apart == NULL) {
        return -ENOMEM;
    }
    *apart = (struct apart){job, argument, 0};
    pthread_t thread;
    int error = start(apart, &thread, 1);
    if (error != 0) {
        free(apart);
    }
    return error;
}
