/* Messages with a descriptor, over a Unix socket that keeps their bounds. */
#define _GNU_SOURCE
#include "keeper.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

union control {
    struct cmsghdr header;
    char bytes[CMSG_SPACE(sizeof(int))];
};

int keeper_send(int socket, const struct keeper_message *message, int fd)
{
    struct iovec part = {.iov_base = (void *)(uintptr_t)message, .iov_len = sizeof *message};
    union control control;
    struct msghdr header = {.msg_iov = &part, .msg_iovlen = 1};
    if (fd >= 0) {
        memset(&control, 0, sizeof control);
        header.msg_control = control.bytes;
        header.msg_controllen = sizeof control.bytes;
        struct cmsghdr *attached = CMSG_FIRSTHDR(&header);
        attached->cmsg_level = SOL_SOCKET;
        attached->cmsg_type = SCM_RIGHTS;
        attached->cmsg_len = CMSG_LEN(sizeof fd);
        memcpy(CMSG_DATA(attached), &fd, sizeof fd);
    }
    ssize_t bytes;
    do {
        bytes = sendmsg(socket, &header, MSG_NOSIGNAL);
    } while (bytes < 0 && errno == EINTR);
    return bytes < 0 ? -errno : 0;
}

int keeper_receive(int socket, struct keeper_message *message, int *fd)
{
    struct iovec part = {.iov_base = message, .iov_len = sizeof *message};
    union control control;
    struct msghdr header = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = sizeof control.bytes};
    *fd = -1;
    ssize_t bytes;
    do {
        bytes = recvmsg(socket, &header, MSG_CMSG_CLOEXEC);
    } while (bytes < 0 && errno == EINTR);
    if (bytes <= 0) {
        return bytes < 0 ? -errno : 1;
    }
    struct cmsghdr *attached = CMSG_FIRSTHDR(&header);
    if (attached != NULL && attached->cmsg_level == SOL_SOCKET && attached->cmsg_type == SCM_RIGHTS &&
        attached->cmsg_len == CMSG_LEN(sizeof *fd)) {
        memcpy(fd, CMSG_DATA(attached), sizeof *fd);
    }
    message->name[KEEPER_NAME_BYTES - 1] = '\0';
    return bytes == (ssize_t)sizeof *message ? 0 : -EBADMSG;
}
