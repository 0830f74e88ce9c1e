/* The daemon's side of the process that keeps descriptors: starting it, reaching it, asking it. */
#define _GNU_SOURCE
#include "keeper.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "blockrepl_native.h"

static int make_address(const char *path, struct sockaddr_un *address)
{
    memset(address, 0, sizeof *address);
    address->sun_family = AF_UNIX;
    if (strlen(path) >= sizeof address->sun_path) {
        return -ENAMETOOLONG;
    }
    strcpy(address->sun_path, path);
    return 0;
}

int32_t brn_keeper_connect(const char *path)
{
    struct sockaddr_un address;
    int error = make_address(path, &address);
    if (error != 0) {
        return error;
    }
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return -errno;
    }
    if (connect(fd, (const struct sockaddr *)&address, sizeof address) != 0) {
        error = -errno;
        close(fd);
        return error;
    }
    return fd;
}

/* A session of its own: what is sent to the daemon's process group does not reach it. */
static int spawn(const char *program, int listener)
{
    char *arguments[] = {(char *)(uintptr_t)program, NULL};
    char *environment[] = {NULL};
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    posix_spawn_file_actions_init(&actions);
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSID);
    posix_spawn_file_actions_adddup2(&actions, listener, STDIN_FILENO);
    posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
    posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
    pid_t child;
    int error = posix_spawn(&child, program, &actions, &attributes, arguments, environment);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    return -error;
}

int32_t brn_keeper_start(const char *program, const char *path)
{
    struct sockaddr_un address;
    int error = make_address(path, &address);
    if (error != 0) {
        return error;
    }
    int listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    if (listener < 0) {
        return -errno;
    }
    unlink(path);
    if (bind(listener, (const struct sockaddr *)&address, sizeof address) != 0 || listen(listener, 4) != 0) {
        error = -errno;
    } else {
        error = spawn(program, listener);
    }
    close(listener);
    return error;
}

/* An answer is awaited: the keeper does nothing else than answer. */
static int32_t ask(int32_t keeper, struct keeper_message message, const char *name, int32_t fd, int *answer)
{
    if (strlen(name) >= KEEPER_NAME_BYTES) {
        return -ENAMETOOLONG;
    }
    strcpy(message.name, name);
    int error = keeper_send(keeper, &message, fd);
    if (error == 0) {
        error = keeper_receive(keeper, &message, answer);
    }
    return error > 0 ? -EPIPE : error != 0 ? error : message.result;
}

int32_t brn_keeper_put(int32_t keeper, const char *name, int32_t fd, uint32_t patience_s)
{
    int answer = -1;
    struct keeper_message message = {.code = KEEPER_PUT, .patience_s = patience_s};
    return ask(keeper, message, name, fd, &answer);
}

int32_t brn_keeper_put_ublk(
    int32_t keeper, const char *name, int32_t index, uint64_t identity, uint32_t patience_s)
{
    int answer = -1;
    struct keeper_message message = {
        .code = KEEPER_PUT_UBLK, .patience_s = patience_s, .device_index = index,
        .ublk_identity = {(uint32_t)identity, (uint32_t)(identity >> 32)}};
    return ask(keeper, message, name, -1, &answer);
}

int32_t brn_keeper_put_nbd(int32_t keeper, const char *identifier, int32_t index, uint32_t patience_s)
{
    int answer = -1;
    struct keeper_message message = {.code = KEEPER_PUT_NBD, .patience_s = patience_s, .device_index = index};
    return ask(keeper, message, identifier, -1, &answer);
}

int32_t brn_keeper_get(int32_t keeper, const char *name)
{
    int answer = -1;
    int32_t result = ask(keeper, (struct keeper_message){.code = KEEPER_GET}, name, -1, &answer);
    return result != 0 ? result : answer < 0 ? -ENOENT : answer;
}

int32_t brn_keeper_drop(int32_t keeper, const char *name)
{
    int answer = -1;
    return ask(keeper, (struct keeper_message){.code = KEEPER_DROP}, name, -1, &answer);
}
