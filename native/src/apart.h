/*
 * Work on a device that this process serves itself. Whoever reads or opens such a device may wait in the kernel,
 * uninterruptibly, for an answer of ours. If the process is killed then, the wait ends only when the descriptor through
 * which we answer is closed; and that is closed only when no thread uses the process's table of descriptors any more.
 * So such work is done by threads that have a table of their own, with nothing in it.
 */
#ifndef BRN_APART_H
#define BRN_APART_H

/* Runs the job on such a thread and waits; its result, or a negative errno if there is no thread. */
int run_apart(int (*job)(void *argument), void *argument);

/* The same without waiting. */
int start_apart(int (*job)(void *argument), void *argument);

#endif
