/* Generic netlink messages of the families "nlctrl" (what number has "nbd"?) and "nbd". */
#include <errno.h>
#include <linux/genetlink.h>
#include <linux/nbd-netlink.h>
#include <linux/netlink.h>
#include <stdbool.h>
#include <string.h>

#include "nbd.h"

/* The Debian 12 headers know them all; the numbers are the kernel's interface. */
_Static_assert(NBD_ATTR_DEAD_CONN_TIMEOUT == 8 && NBD_ATTR_BACKEND_IDENTIFIER == 10, "attributes of nbd");
_Static_assert(NBD_CMD_CONNECT == 1 && NBD_CMD_RECONFIGURE == 3 && NBD_CMD_STATUS == 5, "commands of nbd");

#define END_ON_CLOSE 2u /* of the client flags */

struct writer {
    uint8_t *bytes;
    size_t room;
    size_t length;
    bool overflow;
};

/* Room for so many bytes, zeroed and rounded up to netlink's alignment; NULL when the buffer is full. */
static void *take(struct writer *writer, size_t count)
{
    size_t aligned = NLMSG_ALIGN(count);
    if (writer->overflow || writer->room - writer->length < aligned) {
        writer->overflow = true;
        return NULL;
    }
    void *taken = writer->bytes + writer->length;
    memset(taken, 0, aligned);
    writer->length += aligned;
    return taken;
}

static void begin(struct writer *writer, uint16_t type, uint32_t sequence, uint8_t command)
{
    struct nlmsghdr *message = take(writer, NLMSG_HDRLEN);
    struct genlmsghdr *head = take(writer, GENL_HDRLEN);
    if (head == NULL) {
        return;
    }
    message->nlmsg_type = type;
    message->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
    message->nlmsg_seq = sequence;
    head->cmd = command;
    head->version = 1;
}

static void put(struct writer *writer, uint16_t type, const void *data, size_t length)
{
    struct nlattr *attribute = take(writer, NLA_HDRLEN + length);
    if (attribute != NULL) {
        attribute->nla_type = type;
        attribute->nla_len = (uint16_t)(NLA_HDRLEN + length);
        if (length > 0) {
            memcpy((uint8_t *)attribute + NLA_HDRLEN, data, length);
        }
    }
}

static void put_u32(struct writer *writer, uint16_t type, uint32_t value)
{
    put(writer, type, &value, sizeof value);
}

static void put_u64(struct writer *writer, uint16_t type, uint64_t value)
{
    put(writer, type, &value, sizeof value);
}

static size_t nest(struct writer *writer, uint16_t type)
{
    size_t at = writer->length;
    put(writer, type | NLA_F_NESTED, NULL, 0);
    return at;
}

static void end_nest(struct writer *writer, size_t at)
{
    if (!writer->overflow) {
        ((struct nlattr *)(void *)(writer->bytes + at))->nla_len = (uint16_t)(writer->length - at);
    }
}

static size_t finish(struct writer *writer)
{
    if (writer->overflow) {
        return 0;
    }
    ((struct nlmsghdr *)(void *)writer->bytes)->nlmsg_len = (uint32_t)writer->length;
    return writer->length;
}

size_t nbd_build_family(void *buffer, size_t room, uint32_t sequence)
{
    struct writer writer = {.bytes = buffer, .room = room};
    begin(&writer, GENL_ID_CTRL, sequence, CTRL_CMD_GETFAMILY);
    put(&writer, CTRL_ATTR_FAMILY_NAME, NBD_GENL_FAMILY_NAME, sizeof NBD_GENL_FAMILY_NAME);
    return finish(&writer);
}

static void put_socket(struct writer *writer, int32_t fd)
{
    size_t list = nest(writer, NBD_ATTR_SOCKETS);
    size_t item = nest(writer, NBD_SOCK_ITEM);
    put_u32(writer, NBD_SOCK_FD, (uint32_t)fd);
    end_nest(writer, item);
    end_nest(writer, list);
}

static void put_config(struct writer *writer, uint8_t command, const brn_nbd_config *config)
{
    if (config->size > 0) {
        put_u64(writer, NBD_ATTR_SIZE_BYTES, config->size);
    }
    if (config->block_size > 0) {
        put_u64(writer, NBD_ATTR_BLOCK_SIZE_BYTES, config->block_size);
    }
    if (command == NBD_CMD_CONNECT) {
        /* Zero: a request may take as long as it wants, see the header. */
        put_u64(writer, NBD_ATTR_TIMEOUT, 0);
        put_u64(writer, NBD_ATTR_SERVER_FLAGS, config->server_flags);
    }
    put_u64(writer, NBD_ATTR_CLIENT_FLAGS, config->end_on_close != 0 ? END_ON_CLOSE : 0);
    put_u64(writer, NBD_ATTR_DEAD_CONN_TIMEOUT, config->dead_timeout);
    if (config->fd >= 0) {
        put_socket(writer, config->fd);
    }
}

size_t nbd_build(
    void *buffer, size_t room, uint16_t family, uint32_t sequence, uint8_t command, const brn_nbd_config *config,
    const char *identifier)
{
    struct writer writer = {.bytes = buffer, .room = room};
    begin(&writer, family, sequence, command);
    if (config->index >= 0) {
        put_u32(&writer, NBD_ATTR_INDEX, (uint32_t)config->index);
    }
    if (command == NBD_CMD_CONNECT || command == NBD_CMD_RECONFIGURE) {
        put_config(&writer, command, config);
    }
    if (identifier != NULL) {
        put(&writer, NBD_ATTR_BACKEND_IDENTIFIER, identifier, strlen(identifier) + 1);
    }
    return finish(&writer);
}

/* ---- answers ------------------------------------------------------------------------------------------------- */

struct reader {
    const uint8_t *bytes;
    size_t length;
};

/* The next attribute and its data. 1: there is one, 0: the end, or -EBADMSG. */
static int next_attribute(struct reader *reader, uint16_t *type, struct reader *data)
{
    struct nlattr head;
    if (reader->length < sizeof head) {
        return reader->length == 0 ? 0 : -EBADMSG;
    }
    memcpy(&head, reader->bytes, sizeof head);
    if (head.nla_len < NLA_HDRLEN || head.nla_len > reader->length) {
        return -EBADMSG;
    }
    *type = head.nla_type & NLA_TYPE_MASK;
    *data = (struct reader){reader->bytes + NLA_HDRLEN, head.nla_len - NLA_HDRLEN};
    size_t step = NLA_ALIGN(head.nla_len);
    step = step < reader->length ? step : reader->length;
    reader->bytes += step;
    reader->length -= step;
    return 1;
}

static int get_u32(struct reader data, int32_t *value)
{
    uint32_t number;
    if (data.length != sizeof number) {
        return -EBADMSG;
    }
    memcpy(&number, data.bytes, sizeof number);
    *value = (int32_t)number;
    return 0;
}

static int parse_family(struct reader attributes, struct nbd_answer *answer)
{
    uint16_t type;
    struct reader data;
    int result;
    while ((result = next_attribute(&attributes, &type, &data)) > 0) {
        if (type == CTRL_ATTR_FAMILY_ID) {
            uint16_t number;
            if (data.length != sizeof number) {
                return -EBADMSG;
            }
            memcpy(&number, data.bytes, sizeof number);
            answer->family = number;
        }
    }
    return result;
}

static int parse_device(struct reader attributes, struct nbd_answer *answer)
{
    uint16_t type;
    struct reader data;
    int result;
    while ((result = next_attribute(&attributes, &type, &data)) > 0) {
        if (type == NBD_DEVICE_INDEX) {
            result = get_u32(data, &answer->index);
        } else if (type == NBD_DEVICE_CONNECTED) {
            if (data.length != 1) {
                return -EBADMSG;
            }
            answer->connected = data.bytes[0];
        }
        if (result < 0) {
            return result;
        }
    }
    return result;
}

static int parse_devices(struct reader list, struct nbd_answer *answer)
{
    uint16_t type;
    struct reader item;
    int result;
    while ((result = next_attribute(&list, &type, &item)) > 0) {
        if (type == NBD_DEVICE_ITEM) {
            result = parse_device(item, answer);
            if (result < 0) {
                return result;
            }
        }
    }
    return result;
}

static int parse_nbd(struct reader attributes, struct nbd_answer *answer)
{
    uint16_t type;
    struct reader data;
    int result;
    while ((result = next_attribute(&attributes, &type, &data)) > 0) {
        if (type == NBD_ATTR_INDEX) {
            result = get_u32(data, &answer->index);
        } else if (type == NBD_ATTR_DEVICE_LIST) {
            result = parse_devices(data, answer);
        }
        if (result < 0) {
            return result;
        }
    }
    return result;
}

static int parse_message(
    const struct nlmsghdr *head, struct reader body, uint16_t family, struct nbd_answer *answer)
{
    if (head->nlmsg_type == NLMSG_ERROR) {
        int result = get_u32((struct reader){body.bytes, body.length < 4 ? 0 : 4}, &answer->error);
        answer->ended = 1;
        return result < 0 || answer->error > 0 ? -EBADMSG : 0;
    }
    if (head->nlmsg_type != GENL_ID_CTRL && head->nlmsg_type != family) {
        return 0;
    }
    if (body.length < GENL_HDRLEN) {
        return -EBADMSG;
    }
    body = (struct reader){body.bytes + GENL_HDRLEN, body.length - GENL_HDRLEN};
    return head->nlmsg_type == GENL_ID_CTRL ? parse_family(body, answer) : parse_nbd(body, answer);
}

int nbd_parse(const void *buffer, size_t length, uint16_t family, uint32_t sequence, struct nbd_answer *answer)
{
    const uint8_t *bytes = buffer;
    while (length > 0) {
        struct nlmsghdr head;
        if (length < NLMSG_HDRLEN) {
            return -EBADMSG;
        }
        memcpy(&head, bytes, sizeof head);
        if (head.nlmsg_len < NLMSG_HDRLEN || head.nlmsg_len > length) {
            return -EBADMSG;
        }
        struct reader body = {bytes + NLMSG_HDRLEN, head.nlmsg_len - NLMSG_HDRLEN};
        int result = head.nlmsg_seq == sequence ? parse_message(&head, body, family, answer) : 0;
        if (result < 0) {
            return result;
        }
        size_t step = NLMSG_ALIGN(head.nlmsg_len);
        step = step < length ? step : length;
        bytes += step;
        length -= step;
    }
    return 0;
}
