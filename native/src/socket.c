/* Making and naming sockets; data goes through the ring. */
#define _GNU_SOURCE
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include "blockrepl_native.h"

static int set_option(int fd, int level, int name, int value)
{
    return setsockopt(fd, level, name, &value, sizeof value) == 0 ? 0 : -errno;
}

static int family_of(int fd)
{
    int family = 0;
    socklen_t length = sizeof family;
    return getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &family, &length) == 0 ? family : -errno;
}

int32_t brn_socket_configure(int32_t fd, const brn_socket_options *options)
{
    int family = family_of(fd);
    if (family < 0) {
        return family;
    }
    int error = 0;
    if (options->send_buffer > 0) {
        error = set_option(fd, SOL_SOCKET, SO_SNDBUF, options->send_buffer);
    }
    if (error == 0 && options->receive_buffer > 0) {
        error = set_option(fd, SOL_SOCKET, SO_RCVBUF, options->receive_buffer);
    }
    if (error == 0 && family != AF_UNIX && (options->flags & BRN_SOCKET_NO_DELAY) != 0) {
        error = set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
    }
    return error;
}

int32_t brn_socket_create(
    int32_t family, const void *local, uint32_t local_length, const brn_socket_options *options)
{
    int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return -errno;
    }
    int error = brn_socket_configure(fd, options);
    if (error == 0 && local_length > 0) {
        error = set_option(fd, SOL_SOCKET, SO_REUSEADDR, 1);
        if (error == 0 && bind(fd, local, local_length) != 0) {
            error = -errno;
        }
    }
    if (error != 0) {
        close(fd);
        return error;
    }
    return fd;
}

int32_t brn_socket_listen(const void *local, uint32_t local_length, const brn_socket_options *options)
{
    int family = ((const struct sockaddr *)local)->sa_family;
    int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return -errno;
    }
    /* Accepted sockets inherit the buffer sizes, and the window scale is fixed at the handshake. */
    int error = brn_socket_configure(fd, options);
    if (error == 0 && family != AF_UNIX) {
        error = set_option(fd, SOL_SOCKET, SO_REUSEADDR, 1);
    }
    if (error == 0 && family == AF_INET6) {
        error = set_option(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1);
    }
    if (error == 0 && (bind(fd, local, local_length) != 0 || listen(fd, (int)options->backlog) != 0)) {
        error = -errno;
    }
    if (error != 0) {
        close(fd);
        return error;
    }
    return fd;
}

int32_t brn_socket_pair(int32_t pair[2], int32_t send_buffer)
{
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0) {
        return -errno;
    }
    int error = set_option(pair[1], SOL_SOCKET, SO_SNDBUFFORCE, send_buffer);
    if (error == -EPERM) {
        error = set_option(pair[1], SOL_SOCKET, SO_SNDBUF, send_buffer);
    }
    if (error != 0) {
        close(pair[0]);
        close(pair[1]);
    }
    return error;
}

int32_t brn_socket_name(int32_t fd, uint32_t peer, void *address, uint32_t *length)
{
    socklen_t size = *length;
    int result = peer ? getpeername(fd, address, &size) : getsockname(fd, address, &size);
    *length = size;
    return result == 0 ? 0 : -errno;
}

int32_t brn_socket_shutdown(int32_t fd, uint32_t both)
{
    return shutdown(fd, both ? SHUT_RDWR : SHUT_WR) == 0 ? 0 : -errno;
}

int32_t brn_socket_reset_on_close(int32_t fd)
{
    struct linger linger = {.l_onoff = 1, .l_linger = 0};
    return setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger) == 0 ? 0 : -errno;
}

int32_t brn_close(int32_t fd)
{
    return close(fd) == 0 ? 0 : -errno;
}
