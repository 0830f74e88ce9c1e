/*
 * Ends the connection of another process with the kernel's NBD client, as the kernel does when it finds fault with it.
 *
 *   sever PID
 *
 * It is a Unix socket that the process is connected with by itself. Prints how many it has found; exit code 1: none.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

static int option(int file, int name)
{
    int value = 0;
    socklen_t length = sizeof value;

    return getsockopt(file, SOL_SOCKET, name, &value, &length) == 0 ? value : -1;
}

static int is_of_own_pair(int file, int owner)
{
    struct ucred peer;
    socklen_t length = sizeof peer;

    return option(file, SO_TYPE) == SOCK_STREAM && option(file, SO_ACCEPTCONN) == 0 &&
           getsockopt(file, SOL_SOCKET, SO_PEERCRED, &peer, &length) == 0 && peer.pid == owner;
}

int main(int argc, char **argv)
{
    int owner = argc == 2 ? atoi(argv[1]) : 0, severed = 0;
    int process = (int)syscall(SYS_pidfd_open, owner, 0);
    char path[64];
    struct dirent *entry;
    DIR *files;

    snprintf(path, sizeof path, "/proc/%d/fd", owner);
    files = opendir(path);
    if (process < 0 || files == NULL) {
        perror(path);
        return 2;
    }
    while ((entry = readdir(files)) != NULL) {
        int file = entry->d_name[0] == '.' ? -1 : (int)syscall(SYS_pidfd_getfd, process, atoi(entry->d_name), 0);
        if (file < 0)
            continue;
        if (is_of_own_pair(file, owner) && shutdown(file, SHUT_RDWR) == 0)
            severed++;
        close(file);
    }
    printf("%d\n", severed);
    return severed == 0;
}
