/* Helpers 93 and 94: a program's own locks, in values of maps and in global data. */
#include "maps/common.h"

HELPER(void, spin_lock, (u32 *word)) { lock(word); }

HELPER(void, spin_unlock, (u32 *word)) { unlock(word); }
