/* The kernel's NBD client, by generic netlink. Each call has a socket of its own: they are rare. */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/genetlink.h>
#include <linux/nbd-netlink.h>
#include <linux/netlink.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "nbd.h"

#define ANSWER_ROOM 8192u
#define ANSWER_SECONDS 30

static int open_netlink(void)
{
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_GENERIC);
    if (fd < 0) {
        return -errno;
    }
    struct sockaddr_nl local = {.nl_family = AF_NETLINK};
    struct timeval limit = {.tv_sec = ANSWER_SECONDS};
    if (bind(fd, (struct sockaddr *)&local, sizeof local) != 0 ||
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit) != 0) {
        int error = -errno;
        close(fd);
        return error;
    }
    return fd;
}

static int send_all(int fd, const void *message, size_t length)
{
    struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};
    ssize_t sent;
    do {
        sent = sendto(fd, message, length, 0, (struct sockaddr *)&kernel, sizeof kernel);
    } while (sent < 0 && errno == EINTR);
    return sent < 0 ? -errno : (size_t)sent == length ? 0 : -EIO;
}

/* Receives until the acknowledgement. What another process may send to this socket does not count. */
static int receive(int fd, uint16_t family, uint32_t sequence, struct nbd_answer *answer)
{
    _Alignas(8) uint8_t buffer[ANSWER_ROOM];
    *answer = (struct nbd_answer){.family = -1, .index = -1, .connected = -1};
    while (!answer->ended) {
        struct sockaddr_nl sender = {0};
        socklen_t size = sizeof sender;
        ssize_t bytes = recvfrom(fd, buffer, sizeof buffer, MSG_TRUNC, (struct sockaddr *)&sender, &size);
        if (bytes < 0) {
            if (errno == EINTR) {
                continue;
            }
            return errno == EAGAIN ? -ETIMEDOUT : -errno;
        }
        if (sender.nl_pid != 0) {
            continue;
        }
        if ((size_t)bytes > sizeof buffer) {
            return -EMSGSIZE;
        }
        int error = nbd_parse(buffer, (size_t)bytes, family, sequence, answer);
        if (error < 0) {
            return error;
        }
    }
    return answer->error;
}

static int ask(int fd, uint8_t command, const brn_nbd_config *config, const char *identifier, struct nbd_answer *answer)
{
    _Alignas(8) uint8_t message[NBD_MESSAGE_ROOM];
    size_t length = nbd_build_family(message, sizeof message, 1);
    int error = send_all(fd, message, length);
    if (error == 0) {
        error = receive(fd, 0, 1, answer);
    }
    if (error == 0 && answer->family < 0) {
        error = -EBADMSG;
    }
    if (error < 0) {
        return error == -ENOENT ? -EOPNOTSUPP : error; /* this kernel has no nbd */
    }
    uint16_t family = (uint16_t)answer->family;
    length = nbd_build(message, sizeof message, family, 2, command, config, identifier);
    if (length == 0) {
        return -ENAMETOOLONG;
    }
    error = send_all(fd, message, length);
    return error < 0 ? error : receive(fd, family, 2, answer);
}

static int command(uint8_t code, const brn_nbd_config *config, const char *identifier, struct nbd_answer *answer)
{
    int fd = open_netlink();
    if (fd < 0) {
        return fd;
    }
    int error = ask(fd, code, config, identifier, answer);
    close(fd);
    return error;
}

int32_t brn_nbd_connect(const brn_nbd_config *config, const char *identifier)
{
    if (config->fd < 0 || config->size == 0 || identifier == NULL) {
        return -EINVAL;
    }
    struct nbd_answer answer;
    int error = command(NBD_CMD_CONNECT, config, identifier, &answer);
    if (error < 0) {
        return error;
    }
    return answer.index >= 0 ? answer.index : -EBADMSG;
}

int32_t brn_nbd_reconfigure(const brn_nbd_config *config, const char *identifier)
{
    if (config->index < 0 || identifier == NULL) {
        return -EINVAL;
    }
    struct nbd_answer answer;
    return command(NBD_CMD_RECONFIGURE, config, identifier, &answer);
}

int32_t brn_nbd_disconnect(int32_t index)
{
    if (index < 0) {
        return -EINVAL;
    }
    struct nbd_answer answer;
    brn_nbd_config config = {.index = index, .fd = -1};
    return command(NBD_CMD_DISCONNECT, &config, NULL, &answer);
}

int32_t brn_nbd_connected(int32_t index)
{
    if (index < 0) {
        return -EINVAL;
    }
    struct nbd_answer answer;
    brn_nbd_config config = {.index = index, .fd = -1};
    int error = command(NBD_CMD_STATUS, &config, NULL, &answer);
    if (error < 0) {
        return error;
    }
    return answer.connected >= 0 ? answer.connected : -ENODEV;
}
