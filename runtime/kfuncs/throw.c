/* Exceptions: bpf_throw ends the program, whose result is then the cookie, or what the program's callback makes of it.

   The translator does what a kernel does by unwinding (src/select/exceptions.rs): after bpf_throw, and after each call of a function
   that may throw, it asks whether something was thrown, and returns; a program, which is what others call, begins by bpf_throw_enter,
   takes what reaches it by bpf_throw_caught, and ends by bpf_throw_leave. What no program would take ends the process: a function of
   no program's that is called from outside, a callback of a helper, which no verifier lets throw. */
#include "helpers/memory.h"
#include "helpers/thread.h"

extern void abort(void) __attribute__((noreturn));

static void end(u64 cookie, const char *why, u64 length)
{
    char text[] = "bpf_throw: the program threw 0x................, ";
    char *digits = text + sizeof "bpf_throw: the program threw 0x" - 1;
    for (u32 i = 0; i < 16; i++) {
        u32 digit = cookie >> (60 - 4 * i) & 15;
        digits[i] = digit < 10 ? '0' + digit : 'a' + digit - 10;
    }
    write_error(text, sizeof text - 1);
    write_error(why, length);
    abort();
}

#define END(cookie, why) end(cookie, why "\n", sizeof why)

KFUNC(void, bpf_throw, (u64 cookie))
{
    struct thread *thread = bpf2native_rt_thread();
    if (!thread || !thread->open_programs)
        END(cookie, "and no program runs that ends by it");
    thread->is_thrown = 1;
    thread->cookie = cookie;
}

/* A program begins. */
API(void, bpf_throw_enter, (void))
{
    struct thread *thread = bpf2native_rt_thread();
    if (thread)
        thread->open_programs++;
}

/* Whether something was thrown that no program has taken yet. */
API(u64, bpf_throw_pending, (void))
{
    struct thread *thread = bpf2native_rt_thread();
    return thread && thread->is_thrown;
}

/* What was thrown, which is taken. */
API(u64, bpf_throw_caught, (void))
{
    struct thread *thread = bpf2native_rt_thread();
    if (!thread)
        return 0;
    thread->is_thrown = 0;
    return thread->cookie;
}

/* A program ends, by itself or by an exception. */
API(void, bpf_throw_leave, (void))
{
    struct thread *thread = bpf2native_rt_thread();
    if (!thread)
        return;
    if (thread->is_thrown)
        END(thread->cookie, "from what deals with exceptions");
    if (thread->open_programs)
        thread->open_programs--;
}

/* Something was thrown out of a function that others call by its address. */
API(void, bpf_throw_stray, (void))
{
    struct thread *thread = bpf2native_rt_thread();
    END(thread ? thread->cookie : 0, "out of a callback, which a verifier refuses");
}
