/* The smallest thing that can be called a test framework: a failed check ends the program and says where. */
#ifndef BRN_CHECK_H
#define BRN_CHECK_H

#include <stdio.h>
#include <stdlib.h>

#define CHECK(condition)                                                        \
    do {                                                                        \
        if (!(condition)) {                                                     \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition);     \
            exit(1);                                                            \
        }                                                                       \
    } while (0)

#define CHECK_EQ(expected, actual)                                                                             \
    do {                                                                                                       \
        long long check_e = (long long)(expected);                                                             \
        long long check_a = (long long)(actual);                                                               \
        if (check_e != check_a) {                                                                              \
            fprintf(stderr, "%s:%d: %s is %lld, not %lld\n", __FILE__, __LINE__, #actual, check_a, check_e);   \
            exit(1);                                                                                           \
        }                                                                                                      \
    } while (0)

#endif
