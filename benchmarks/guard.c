/* The requests of a program to the callgrind that runs it, for ctypes. */

#include <valgrind/callgrind.h>

/* Once: each time it would translate all code again. */
void guard_begin(void)
{
    CALLGRIND_START_INSTRUMENTATION;
}

void guard_start(void)
{
    CALLGRIND_ZERO_STATS;
}

void guard_stop(void)
{
    CALLGRIND_DUMP_STATS;
}
