/* Calls that BPF compilers refuse, with more than 5 arguments; and arithmetic with double, for the compilers that have
   none. C11 with GNU's extensions, as clang and gcc have them.

       bpf2native_call(function, arguments...)                   what `function(arguments...)` is
       bpf2native_call_struct(&result, function, arguments...)   result = function(arguments...)
       bpf2native_vcall(function, v_function, arguments...)      function(arguments...), by way of v_function, which
                                                                 takes a va_list in place of the last arguments
       bpf2native_add(a, b) ...                                  a + b ..., for double

   `function` is the name of a function. Arguments are integers, pointers, float and double in any mix, at most 24. The
   compiler checks them as it does in an ordinary call, and does not convert them: pass 1.0, not 1, for a double.

   What bpf2native makes of an undefined symbol __bpf2native_FORM_COUNT_NAME is a native call of NAME, by its own
   prototype, with COUNT words from an array as arguments. So an object that was made with this header is for bpf2native
   only. Compiled for another machine than BPF, all this is ordinary C. */
#ifndef BPF2NATIVE_H
#define BPF2NATIVE_H

#include "bpf2native_script.h"

#ifdef __BPF__

#ifdef __cplusplus
#error "bpf2native.h is for C: put these calls into a file of C"
#endif

/* What the compiler's runtime has; bpf2native makes one native instruction of each. */
extern double __extendsfdf2(float);
extern double __adddf3(double, double), __subdf3(double, double), __muldf3(double, double), __divdf3(double, double);
extern int __ltdf2(double, double), __eqdf2(double, double);
extern double __floatdidf(long);
extern long __fixdfdi(double);

#define bpf2native_add(a, b) __adddf3(a, b)
#define bpf2native_sub(a, b) __subdf3(a, b)
#define bpf2native_mul(a, b) __muldf3(a, b)
#define bpf2native_div(a, b) __divdf3(a, b)
#define bpf2native_less(a, b) (__ltdf2(a, b) < 0)
#define bpf2native_equal(a, b) (__eqdf2(a, b) == 0)
#define bpf2native_from_long(n) __floatdidf(n)
#define bpf2native_to_long(a) __fixdfdi(a)

/* Up to 5 arguments, it is an ordinary call. */
#define bpf2native_call(function, ...) \
    __extension__({ \
        B2N_CHECK_(function); \
        B2N_DECLARE_(__typeof__((function)(__VA_ARGS__)), call, function, __VA_ARGS__); \
        B2N_DECLARE_(__typeof__((function)(__VA_ARGS__)), calld, function, __VA_ARGS__); \
        __builtin_choose_expr(B2N_COUNT_(__VA_ARGS__) <= 5, (function)(__VA_ARGS__), ({ \
            B2N_WORDS_(__VA_ARGS__); \
            __builtin_choose_expr(0 B2N_EACH_(B2N_OR_DOUBLE_, __VA_ARGS__), \
                B2N_NAME_(calld, function, __VA_ARGS__), B2N_NAME_(call, function, __VA_ARGS__)) \
                ((__typeof__(function) *)0, b2n_words_); \
        })); \
    })

#define bpf2native_vcall(function, v_function, ...) \
    __extension__({ \
        B2N_CHECK_(v_function); \
        B2N_DECLARE_(__typeof__((function)(__VA_ARGS__)), vcall, v_function, __VA_ARGS__); \
        B2N_WORDS_(__VA_ARGS__); \
        B2N_NAME_(vcall, v_function, __VA_ARGS__)((__typeof__(v_function) *)0, b2n_words_); \
    })

#define bpf2native_call_struct(result, function, ...) \
    __extension__({ \
        B2N_CHECK_(function); \
        extern void B2N_NAME_(calls, function, __VA_ARGS__)(__typeof__(function) *, const unsigned long *, \
            __typeof__((function)(__VA_ARGS__)) *); \
        B2N_WORDS_(__VA_ARGS__); \
        B2N_NAME_(calls, function, __VA_ARGS__)((__typeof__(function) *)0, b2n_words_, (result)); \
    })

#define B2N_CHECK_(function) \
    _Static_assert(__builtin_types_compatible_p(__typeof__(function), __typeof__(*(function))), \
        "bpf2native.h calls functions by their names, and this is no name of a function")
/* The first parameter says the function's type to BTF, and is a null pointer. */
#define B2N_DECLARE_(type, form, function, ...) \
    extern type B2N_NAME_(form, function, __VA_ARGS__)(__typeof__(function) *, const unsigned long *)
#define B2N_NAME_(form, function, ...) B2N_PASTE_(__bpf2native_##form##_, B2N_COUNT_(__VA_ARGS__), _, function)
#define B2N_PASTE_(a, b, c, d) B2N_PASTE_NOW_(a, b, c, d)
#define B2N_PASTE_NOW_(a, b, c, d) a##b##c##d

/* An integer as wide as a register, a pointer, or the bits of a double; a float becomes a double. Stored one by one:
   clang 22 loses tables of constant addresses. */
#define B2N_WORDS_(...) \
    unsigned long b2n_words_[B2N_COUNT_(__VA_ARGS__)], *b2n_next_ = b2n_words_; \
    B2N_EACH_(B2N_STORE_, __VA_ARGS__)
#define B2N_STORE_(x) *b2n_next_++ = B2N_WORD_(x);
#define B2N_WORD_(x) \
    _Generic((x), \
        double: bpf2native_bits(_Generic((x), double: (x), default: 0.0)), \
        float: bpf2native_bits(__extendsfdf2(_Generic((x), float: (x), default: 0.0f))), \
        long double: "cast it to double: natively, long double has another format", \
        default: (unsigned long)_Generic((x), double: 0, float: 0, long double: 0, default: (x)))
#define B2N_OR_DOUBLE_(x) | _Generic((x), double: 1, float: 1, default: 0)

static inline __attribute__((__always_inline__, __unused__)) unsigned long bpf2native_bits(double number)
{
    union {
        double number;
        unsigned long bits;
    } both = {number};
    return both.bits;
}

#define B2N_COUNT_(...) B2N_COUNT_NOW_(__VA_ARGS__, 24, 23, 22, 21, 20, 19, 18, 17, 16, 15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0)
#define B2N_COUNT_NOW_(_1, _2, _3, _4, _5, _6, _7, _8, _9, _10, _11, _12, _13, _14, _15, _16, _17, _18, _19, _20, _21, _22, _23, _24, n, ...) n
#define B2N_EACH_(m, ...) B2N_PASTE_(B2N_EACH_, B2N_COUNT_(__VA_ARGS__), _, )(m, __VA_ARGS__)
#define B2N_EACH_1_(m, x) m(x)
#define B2N_EACH_2_(m, x, ...) m(x) B2N_EACH_1_(m, __VA_ARGS__)
#define B2N_EACH_3_(m, x, ...) m(x) B2N_EACH_2_(m, __VA_ARGS__)
#define B2N_EACH_4_(m, x, ...) m(x) B2N_EACH_3_(m, __VA_ARGS__)
#define B2N_EACH_5_(m, x, ...) m(x) B2N_EACH_4_(m, __VA_ARGS__)
#define B2N_EACH_6_(m, x, ...) m(x) B2N_EACH_5_(m, __VA_ARGS__)
#define B2N_EACH_7_(m, x, ...) m(x) B2N_EACH_6_(m, __VA_ARGS__)
#define B2N_EACH_8_(m, x, ...) m(x) B2N_EACH_7_(m, __VA_ARGS__)
#define B2N_EACH_9_(m, x, ...) m(x) B2N_EACH_8_(m, __VA_ARGS__)
#define B2N_EACH_10_(m, x, ...) m(x) B2N_EACH_9_(m, __VA_ARGS__)
#define B2N_EACH_11_(m, x, ...) m(x) B2N_EACH_10_(m, __VA_ARGS__)
#define B2N_EACH_12_(m, x, ...) m(x) B2N_EACH_11_(m, __VA_ARGS__)
#define B2N_EACH_13_(m, x, ...) m(x) B2N_EACH_12_(m, __VA_ARGS__)
#define B2N_EACH_14_(m, x, ...) m(x) B2N_EACH_13_(m, __VA_ARGS__)
#define B2N_EACH_15_(m, x, ...) m(x) B2N_EACH_14_(m, __VA_ARGS__)
#define B2N_EACH_16_(m, x, ...) m(x) B2N_EACH_15_(m, __VA_ARGS__)
#define B2N_EACH_17_(m, x, ...) m(x) B2N_EACH_16_(m, __VA_ARGS__)
#define B2N_EACH_18_(m, x, ...) m(x) B2N_EACH_17_(m, __VA_ARGS__)
#define B2N_EACH_19_(m, x, ...) m(x) B2N_EACH_18_(m, __VA_ARGS__)
#define B2N_EACH_20_(m, x, ...) m(x) B2N_EACH_19_(m, __VA_ARGS__)
#define B2N_EACH_21_(m, x, ...) m(x) B2N_EACH_20_(m, __VA_ARGS__)
#define B2N_EACH_22_(m, x, ...) m(x) B2N_EACH_21_(m, __VA_ARGS__)
#define B2N_EACH_23_(m, x, ...) m(x) B2N_EACH_22_(m, __VA_ARGS__)
#define B2N_EACH_24_(m, x, ...) m(x) B2N_EACH_23_(m, __VA_ARGS__)

#else

#define bpf2native_call(function, ...) (function)(__VA_ARGS__)
#define bpf2native_call_struct(result, function, ...) ((void)(*(result) = (function)(__VA_ARGS__)))
#define bpf2native_vcall(function, v_function, ...) (function)(__VA_ARGS__)
#define bpf2native_add(a, b) ((double)(a) + (double)(b))
#define bpf2native_sub(a, b) ((double)(a) - (double)(b))
#define bpf2native_mul(a, b) ((double)(a) * (double)(b))
#define bpf2native_div(a, b) ((double)(a) / (double)(b))
#define bpf2native_less(a, b) ((double)(a) < (double)(b))
#define bpf2native_equal(a, b) ((double)(a) == (double)(b))
#define bpf2native_from_long(n) ((double)(long)(n))
#define bpf2native_to_long(a) ((long)(double)(a))

#endif
#endif
