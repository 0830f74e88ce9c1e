/* What the parts of fencebox share. */
#ifndef FENCEBOX_H
#define FENCEBOX_H

#include <stdio.h>

/* How a box ends that did not end by itself. */
enum box_end { BOX_RESET = 129, BOX_OFF = 130, BOX_BITE = 137, BOX_CRASH = 139, BOX_BROKEN = 126 };

struct box {
    FILE *log;
    double began;
    double bite_at;
    int is_soft;      /* the letters b and o are only logged: reboot(2) must follow */
    int keeps_pids;   /* no namespace of processes: those inside are seen as they are */
    int largest;      /* the watchdog's largest time-out, beyond which it wraps; 0: any */
    int child;        /* process 1 of the box */
    int timeout;      /* the watchdog's */
    int is_armed;
    int is_open;
    int saw_magic;
    int last_pet_second;
    int watchdog;     /* reading ends of what the files below lead to */
    int trigger;
    int mode;
    char folder[32];
    char watchdog_path[64];
    char trigger_path[64];
    char mode_path[64];
};

extern struct box box;

double box_now(void);
void box_say(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The program inside has shown a sign of life to its watchdog. */
void box_pet(const char *how);

/* Kills all that is inside and ends with this status. */
void box_finish(int status) __attribute__((noreturn));

/* What has been written to the watchdog and to sysrq-trigger since the last look. */
void box_read_watchdog(void);
void box_read_trigger(void);

/* Filters the system calls of this process and its children; returns the descriptor that tells of them. */
int calls_filter(void);

/* Answers one call. */
void calls_answer(int listener);

#endif
