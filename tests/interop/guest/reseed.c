/*
 * Takes new random numbers from the processor. Guests that go on from one saved state would all draw the same ones
 * otherwise: the same generation identifiers, the same ports.
 */
#include <fcntl.h>
#include <linux/random.h>
#include <stdio.h>
#include <sys/ioctl.h>

int main(void)
{
    int file = open("/dev/urandom", O_WRONLY);

    if (file < 0 || ioctl(file, RNDRESEEDCRNG)) {
        perror("reseed");
        return 1;
    }
    return 0;
}
