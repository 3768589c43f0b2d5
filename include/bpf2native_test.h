/* Tests for `bpf2native test`: asserts, and packets (bpf2native_packet.h). For C11 with GNU's extensions, as clang and gcc have
   them, compiled for BPF or for the machine, with libc's headers or without.

       TEST(drops_udp) {                       // the same as void test_drops_udp(void)
           ASSERT_EQ(my_filter(ctx), XDP_DROP);
       }

   Each comes as ASSERT, which ends the test, and as EXPECT, which goes on with it; it has then failed all the same:

       ASSERT(condition)
       ASSERT_EQ(a, b)   ASSERT_NE   ASSERT_LT   ASSERT_LE   ASSERT_GT   ASSERT_GE    integers and pointers, compared as C does
       ASSERT_STREQ(a, b)                                    strings
       ASSERT_MEMEQ(a, b, length)                            bytes

       FAIL("text")      the test has failed
       SKIP("text")      the test cannot run here, and has neither passed nor failed */
#ifndef BPF2NATIVE_TEST_H
#define BPF2NATIVE_TEST_H

#define TEST(name) \
    void test_##name(void); \
    void test_##name(void)

#define ASSERT(condition) B2N_TEST_TRUE_(BPF2NATIVE_TEST_FAILED, "ASSERT(" #condition ")", condition)
#define EXPECT(condition) B2N_TEST_TRUE_(BPF2NATIVE_TEST_EXPECTED, "EXPECT(" #condition ")", condition)

#define ASSERT_EQ(a, b) B2N_TEST_ORDER_(BPF2NATIVE_TEST_FAILED, "ASSERT_EQ(" #a ", " #b ")", a, ==, b)
#define ASSERT_NE(a, b) B2N_TEST_ORDER_(BPF2NATIVE_TEST_FAILED, "ASSERT_NE(" #a ", " #b ")", a, !=, b)
#define ASSERT_LT(a, b) B2N_TEST_ORDER_(BPF2NATIVE_TEST_FAILED, "ASSERT_LT(" #a ", " #b ")", a, <, b)
#define ASSERT_LE(a, b) B2N_TEST_ORDER_(BPF2NATIVE_TEST_FAILED, "ASSERT_LE(" #a ", " #b ")", a, <=, b)
#define ASSERT_GT(a, b) B2N_TEST_ORDER_(BPF2NATIVE_TEST_FAILED, "ASSERT_GT(" #a ", " #b ")", a, >, b)
#define ASSERT_GE(a, b) B2N_TEST_ORDER_(BPF2NATIVE_TEST_FAILED, "ASSERT_GE(" #a ", " #b ")", a, >=, b)
#define EXPECT_EQ(a, b) B2N_TEST_ORDER_(BPF2NATIVE_TEST_EXPECTED, "EXPECT_EQ(" #a ", " #b ")", a, ==, b)
#define EXPECT_NE(a, b) B2N_TEST_ORDER_(BPF2NATIVE_TEST_EXPECTED, "EXPECT_NE(" #a ", " #b ")", a, !=, b)
#define EXPECT_LT(a, b) B2N_TEST_ORDER_(BPF2NATIVE_TEST_EXPECTED, "EXPECT_LT(" #a ", " #b ")", a, <, b)
#define EXPECT_LE(a, b) B2N_TEST_ORDER_(BPF2NATIVE_TEST_EXPECTED, "EXPECT_LE(" #a ", " #b ")", a, <=, b)
#define EXPECT_GT(a, b) B2N_TEST_ORDER_(BPF2NATIVE_TEST_EXPECTED, "EXPECT_GT(" #a ", " #b ")", a, >, b)
#define EXPECT_GE(a, b) B2N_TEST_ORDER_(BPF2NATIVE_TEST_EXPECTED, "EXPECT_GE(" #a ", " #b ")", a, >=, b)

#define ASSERT_STREQ(a, b) B2N_TEST_STRINGS_(BPF2NATIVE_TEST_FAILED, "ASSERT_STREQ(" #a ", " #b ")", a, b)
#define EXPECT_STREQ(a, b) B2N_TEST_STRINGS_(BPF2NATIVE_TEST_EXPECTED, "EXPECT_STREQ(" #a ", " #b ")", a, b)
#define ASSERT_MEMEQ(a, b, length) \
    B2N_TEST_BYTES_(BPF2NATIVE_TEST_FAILED, "ASSERT_MEMEQ(" #a ", " #b ", " #length ")", a, b, length)
#define EXPECT_MEMEQ(a, b, length) \
    B2N_TEST_BYTES_(BPF2NATIVE_TEST_EXPECTED, "EXPECT_MEMEQ(" #a ", " #b ", " #length ")", a, b, length)

#define FAIL(text) B2N_TEST_END_(BPF2NATIVE_TEST_FAILED, text)
#define SKIP(text) B2N_TEST_END_(BPF2NATIVE_TEST_SKIPPED, text)

/* ---- What these are made of: for the runtime, and for asserts of your own ---- */

enum bpf2native_test_outcome { BPF2NATIVE_TEST_EXPECTED, BPF2NATIVE_TEST_FAILED, BPF2NATIVE_TEST_SKIPPED };

enum bpf2native_test_kind {
    BPF2NATIVE_TEST_NO_VALUE,
    BPF2NATIVE_TEST_INT,
    BPF2NATIVE_TEST_UNSIGNED,
    BPF2NATIVE_TEST_LONG,
    BPF2NATIVE_TEST_UNSIGNED_LONG,
    BPF2NATIVE_TEST_POINTER,
    BPF2NATIVE_TEST_STRING,
    BPF2NATIVE_TEST_BYTES
};

/* A place in a test. */
struct bpf2native_test_site {
    const char *file;
    const char *text;    /* what is said of it: the assertion, or the text of FAIL and SKIP */
    unsigned line;
    unsigned char outcome;     /* enum bpf2native_test_outcome */
    unsigned char is_assert;   /* `text` is an assertion */
    unsigned char left, right; /* enum bpf2native_test_kind */
};

/* An assertion does not hold: prints it with the values at `left` and `right` (for strings and bytes: these, `length` of them). With
   BPF2NATIVE_TEST_EXPECTED it returns, with the others it does not. */
void bpf2native_test_failed(const struct bpf2native_test_site *site, const void *left, const void *right,
    unsigned long length);

/* Who is told how a test ends, in place of the process's end: the outcome, and the text. */
void bpf2native_test_report(void (*callback)(unsigned outcome, const char *text));

#define B2N_TEST_SITE_(outcome_, text_, is_assert_, left_, right_) \
    static const struct bpf2native_test_site b2n_site_ = { \
        .file = __FILE__, .text = (text_), .line = __LINE__, .outcome = (outcome_), .is_assert = (is_assert_), \
        .left = (left_), .right = (right_) }

/* The type of a value: arrays are pointers, what is narrower than int is int. */
#define B2N_TEST_TYPE_(a) __typeof__(0 ? (a) : (a))

#define B2N_TEST_KIND_(a) \
    _Generic((a), \
        int: BPF2NATIVE_TEST_INT, \
        unsigned: BPF2NATIVE_TEST_UNSIGNED, \
        long: BPF2NATIVE_TEST_LONG, \
        long long: BPF2NATIVE_TEST_LONG, \
        unsigned long: BPF2NATIVE_TEST_UNSIGNED_LONG, \
        unsigned long long: BPF2NATIVE_TEST_UNSIGNED_LONG, \
        default: BPF2NATIVE_TEST_POINTER)

#define B2N_TEST_IS_SHOWN_(a) (sizeof(a) <= 8 && _Generic((a), float: 0, double: 0, default: 1))

#define B2N_TEST_TRUE_(outcome, text, condition) \
    do { \
        if (!(condition)) { \
            B2N_TEST_SITE_(outcome, text, 1, 0, 0); \
            bpf2native_test_failed(&b2n_site_, 0, 0, 0); \
        } \
    } while (0)

#define B2N_TEST_ORDER_(outcome, text, a, order, b) \
    do { \
        B2N_TEST_TYPE_(a) b2n_left_ = (a); \
        B2N_TEST_TYPE_(b) b2n_right_ = (b); \
        _Static_assert(B2N_TEST_IS_SHOWN_(b2n_left_) && B2N_TEST_IS_SHOWN_(b2n_right_), \
            "integers of up to 64 bits and pointers can be compared so: for others there is ASSERT(a == b)"); \
        _Pragma("GCC diagnostic push") \
        _Pragma("GCC diagnostic ignored \"-Wsign-compare\"") \
        if (!(b2n_left_ order b2n_right_)) { \
            _Pragma("GCC diagnostic pop") \
            B2N_TEST_SITE_(outcome, text, 1, B2N_TEST_KIND_(b2n_left_), B2N_TEST_KIND_(b2n_right_)); \
            bpf2native_test_failed(&b2n_site_, &b2n_left_, &b2n_right_, 0); \
        } \
    } while (0)

#define B2N_TEST_STRINGS_(outcome, text, a, b) \
    do { \
        const char *b2n_left_ = (a), *b2n_right_ = (b); \
        if (!bpf2native_test_same_string(b2n_left_, b2n_right_)) { \
            B2N_TEST_SITE_(outcome, text, 1, BPF2NATIVE_TEST_STRING, BPF2NATIVE_TEST_STRING); \
            bpf2native_test_failed(&b2n_site_, b2n_left_, b2n_right_, 0); \
        } \
    } while (0)

#define B2N_TEST_BYTES_(outcome, text, a, b, length) \
    do { \
        const void *b2n_left_ = (a), *b2n_right_ = (b); \
        unsigned long b2n_length_ = (length); \
        if (!bpf2native_test_same_bytes(b2n_left_, b2n_right_, b2n_length_)) { \
            B2N_TEST_SITE_(outcome, text, 1, BPF2NATIVE_TEST_BYTES, BPF2NATIVE_TEST_BYTES); \
            bpf2native_test_failed(&b2n_site_, b2n_left_, b2n_right_, b2n_length_); \
        } \
    } while (0)

#define B2N_TEST_END_(outcome, text) \
    do { \
        B2N_TEST_SITE_(outcome, text, 0, 0, 0); \
        bpf2native_test_failed(&b2n_site_, 0, 0, 0); \
    } while (0)

static inline int bpf2native_test_same_string(const char *a, const char *b) {
    if (!a || !b) return a == b;
    while (*a && *a == *b) a++, b++;
    return *a == *b;
}

static inline int bpf2native_test_same_bytes(const void *a, const void *b, unsigned long length) {
    const unsigned char *left = (const unsigned char *)a, *right = (const unsigned char *)b;
    if (left == right) return 1;
    if (!left || !right) return length == 0;
    for (unsigned long i = 0; i < length; i++)
        if (left[i] != right[i]) return 0;
    return 1;
}

#include "bpf2native_packet.h"

#endif
