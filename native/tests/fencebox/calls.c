/* The system calls that are caught: open, ioctl of a watchdog and of a disk's sector size, reboot. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/fs.h>
#include <linux/reboot.h>
#include <linux/seccomp.h>
#include <linux/watchdog.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "box.h"

#if defined(__x86_64__)
#define THIS_ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define THIS_ARCH AUDIT_ARCH_AARCH64
#else
#error "x86-64 and arm64 only"
#endif

#ifdef __NR_open
#define OLD_OPEN __NR_open
#else
#define OLD_OPEN __NR_openat
#endif

int calls_filter(void)
{
    struct sock_filter steps[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, THIS_ARCH, 1, 0),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, OLD_OPEN, 8, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_openat, 7, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_reboot, 6, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_ioctl, 1, 0),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[1])),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, BLKSSZGET, 2, 0),
        BPF_STMT(BPF_ALU | BPF_AND | BPF_K, 0xff00),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, WATCHDOG_IOCTL_BASE << 8, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {.len = sizeof steps / sizeof *steps, .filter = steps};
    return (int)syscall(__NR_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, &program);
}

static int peek(pid_t process, uint64_t address, void *into, size_t bytes)
{
    struct iovec here = {into, bytes};
    struct iovec there = {(void *)(uintptr_t)address, bytes};
    return process_vm_readv(process, &here, 1, &there, 1, 0) == (ssize_t)bytes;
}

static int poke(pid_t process, uint64_t address, const void *from, size_t bytes)
{
    struct iovec here = {(void *)(uintptr_t)from, bytes};
    struct iovec there = {(void *)(uintptr_t)address, bytes};
    return process_vm_writev(process, &here, 1, &there, 1, 0) == (ssize_t)bytes;
}

static void peek_string(pid_t process, uint64_t address, char *into, size_t room)
{
    size_t length = 0;
    into[0] = 0;
    while (length + 1 < room && peek(process, address + length, into + length, 1) && into[length] != 0) {
        length++;
    }
    into[length] = 0;
}

static void answer_reboot(const struct seccomp_notif *call, struct seccomp_notif_resp *answer)
{
    unsigned int what = (unsigned int)call->data.args[2];
    if (what == LINUX_REBOOT_CMD_CAD_ON || what == LINUX_REBOOT_CMD_CAD_OFF) {
        answer->val = 0;
        return;
    }
    int is_off = what == LINUX_REBOOT_CMD_POWER_OFF || what == LINUX_REBOOT_CMD_HALT;
    box_say("REBOOT %s", is_off ? "poweroff" : what == LINUX_REBOOT_CMD_RESTART ? "restart" : "other");
    box_finish(is_off ? BOX_OFF : BOX_RESET);
}

static void answer_sector_size(const struct seccomp_notif *call, struct seccomp_notif_resp *answer)
{
    char path[64];
    struct stat status;
    int size = 512;
    snprintf(path, sizeof path, "/proc/%d/fd/%d", (int)call->pid, (int)call->data.args[0]);
    if (stat(path, &status) != 0 || !S_ISREG(status.st_mode) ||
        !poke((pid_t)call->pid, call->data.args[2], &size, sizeof size)) {
        answer->flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
    }
}

static void set_timeout(const struct seccomp_notif *call, struct seccomp_notif_resp *answer)
{
    int seconds = 0;
    peek((pid_t)call->pid, call->data.args[2], &seconds, sizeof seconds);
    if (seconds < 1 || seconds > 65535) {
        box_say("WD settimeout %d refused", seconds);
        answer->error = -EINVAL;
        return;
    }
    box.timeout = box.largest > 0 && seconds > box.largest ? seconds % box.largest + 1 : seconds;
    poke((pid_t)call->pid, call->data.args[2], &box.timeout, sizeof box.timeout);
    box_say("WD settimeout %d", seconds);
    box_pet(" (settimeout)");
}

static void set_options(const struct seccomp_notif *call)
{
    int options = 0;
    peek((pid_t)call->pid, call->data.args[2], &options, sizeof options);
    box_say("WD setoptions %d", options);
    if (options & WDIOS_DISABLECARD) {
        box.is_armed = 0;
    }
    if (options & WDIOS_ENABLECARD) {
        box_pet(" (enable)");
    }
}

static void answer_watchdog(const struct seccomp_notif *call, struct seccomp_notif_resp *answer)
{
    static const struct watchdog_info info = {
        .options = WDIOF_SETTIMEOUT | WDIOF_MAGICCLOSE | WDIOF_KEEPALIVEPING,
        .firmware_version = 1,
        .identity = "fencebox",
    };
    pid_t process = (pid_t)call->pid;
    uint64_t argument = call->data.args[2];
    int number = 0;
    switch ((unsigned int)call->data.args[1]) {
    case (unsigned int)WDIOC_SETTIMEOUT:
        set_timeout(call, answer);
        break;
    case (unsigned int)WDIOC_GETTIMEOUT:
        poke(process, argument, &box.timeout, sizeof box.timeout);
        break;
    case (unsigned int)WDIOC_GETTIMELEFT:
        number = (int)(box.bite_at - box_now());
        poke(process, argument, &number, sizeof number);
        break;
    case (unsigned int)WDIOC_GETSUPPORT:
        poke(process, argument, &info, sizeof info);
        break;
    case (unsigned int)WDIOC_SETOPTIONS:
        set_options(call);
        break;
    case (unsigned int)WDIOC_KEEPALIVE:
        box_pet(" (keepalive ioctl)");
        break;
    case (unsigned int)WDIOC_GETSTATUS:
    case (unsigned int)WDIOC_GETBOOTSTATUS:
        poke(process, argument, &number, sizeof number);
        break;
    default:
        answer->error = -ENOTTY;
    }
}

/* The file in the box's folder that stands for a path, NULL if the path is none of those. */
static const char *stand_in(const char *path)
{
    if (strcmp(path, "/dev/watchdog") == 0 || strcmp(path, "/dev/watchdog0") == 0) {
        return box.watchdog_path;
    }
    if (strcmp(path, "/proc/sysrq-trigger") == 0) {
        return box.trigger_path;
    }
    return strcmp(path, "/proc/sys/kernel/sysrq") == 0 ? box.mode_path : NULL;
}

static void answer_open(int listener, const struct seccomp_notif *call, struct seccomp_notif_resp *answer)
{
    char path[64];
    int is_at = call->data.nr == __NR_openat;
    int flags = (int)call->data.args[is_at ? 2 : 1];
    peek_string((pid_t)call->pid, call->data.args[is_at ? 1 : 0], path, sizeof path);
    const char *real = stand_in(path);
    if (real == NULL) {
        answer->flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
        return;
    }
    if (real == box.watchdog_path && box.is_open) {
        answer->error = -EBUSY;
        return;
    }
    int truncates = real == box.mode_path ? flags & O_TRUNC : 0;
    int opened = open(real, (flags & (O_ACCMODE | O_APPEND)) | truncates | O_CLOEXEC);
    struct seccomp_notif_addfd given = {
        .id = call->id, .srcfd = (uint32_t)opened, .newfd_flags = (uint32_t)(flags & O_CLOEXEC)};
    int got = opened < 0 ? -1 : ioctl(listener, SECCOMP_IOCTL_NOTIF_ADDFD, &given);
    if (opened >= 0) {
        close(opened);
    }
    if (got < 0) {
        answer->error = -EIO;
        return;
    }
    answer->val = got;
    if (real == box.watchdog_path) {
        box.is_open = 1;
        box.saw_magic = 0;
        box_say("WD open");
        box_pet(" (open)");
    }
}

void calls_answer(int listener)
{
    struct seccomp_notif call;
    memset(&call, 0, sizeof call);
    if (ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &call) != 0) {
        return;
    }
    struct seccomp_notif_resp answer = {.id = call.id};
    box_read_watchdog();
    if (call.data.nr == __NR_reboot) {
        box_read_trigger();
        answer_reboot(&call, &answer);
    } else if (call.data.nr != __NR_ioctl) {
        answer_open(listener, &call, &answer);
    } else if ((unsigned int)call.data.args[1] == (unsigned int)BLKSSZGET) {
        answer_sector_size(&call, &answer);
    } else {
        answer_watchdog(&call, &answer);
    }
    ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &answer);
}
