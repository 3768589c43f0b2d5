/* What random programs of floats are made of in C: floats are words, as in BPF. */
#include <math.h>
#include <stdint.h>
#include <string.h>

typedef uint64_t u64;
typedef uint32_t u32;
typedef int64_t i64;
typedef int32_t i32;

/* A function, translated and native: what they are called with has 256 bytes of input and 96 of output. */
struct row {
	const char *name;
	u64 (*translated)(unsigned char *), (*native)(unsigned char *);
};
enum { INPUT = 256, OUTPUT = 96, DOUBLES = 64 };

static inline double f64_of(u64 bits)
{
	double number;
	memcpy(&number, &bits, sizeof number);
	return number;
}

static inline u64 bits_of_f64(double number)
{
	u64 bits;
	memcpy(&bits, &number, sizeof bits);
	return bits;
}

static inline float f32_of(u64 word)
{
	u32 bits = (u32)word;
	float number;
	memcpy(&number, &bits, sizeof number);
	return number;
}

static inline u64 bits_of_f32(float number)
{
	u32 bits;
	memcpy(&bits, &number, sizeof bits);
	return bits;
}

#define BINARY(name, type, operator)                                                                                   \
	static inline u64 name(u64 x, u64 y)                                                                           \
	{                                                                                                              \
		return bits_of_##type(type##_of(x) operator type##_of(y));                                             \
	}
BINARY(adddf3, f64, +) BINARY(subdf3, f64, -) BINARY(muldf3, f64, *) BINARY(divdf3, f64, /)
BINARY(addsf3, f32, +) BINARY(subsf3, f32, -) BINARY(mulsf3, f32, *) BINARY(divsf3, f32, /)

/* Compiler-rt's comparisons: unordered counts as greater, or as less. */
#define COMPARISONS(letters, type)                                                                                     \
	static inline i64 less##letters(u64 x, u64 y)                                                                  \
	{                                                                                                              \
		return type##_of(x) < type##_of(y) ? -1 : type##_of(x) == type##_of(y) ? 0 : 1;                        \
	}                                                                                                              \
	static inline i64 greater##letters(u64 x, u64 y)                                                               \
	{                                                                                                              \
		return type##_of(x) > type##_of(y) ? 1 : type##_of(x) == type##_of(y) ? 0 : -1;                        \
	}                                                                                                              \
	static inline i64 unord##letters(u64 x, u64 y)                                                                 \
	{                                                                                                              \
		return type##_of(x) != type##_of(x) || type##_of(y) != type##_of(y);                                   \
	}
COMPARISONS(df, f64)
COMPARISONS(sf, f32)

#define UNARY(name, type, call)                                                                                        \
	static inline u64 call_##name(u64 x)                                                                           \
	{                                                                                                              \
		return bits_of_##type(call(type##_of(x)));                                                             \
	}
UNARY(sqrt, f64, sqrt) UNARY(fabs, f64, fabs) UNARY(floor, f64, floor) UNARY(ceil, f64, ceil) UNARY(trunc, f64, trunc)
UNARY(sqrtf, f32, sqrtf) UNARY(fabsf, f32, fabsf) UNARY(floorf, f32, floorf)

static inline u64 call_fmin(u64 x, u64 y)
{
	return bits_of_f64(fmin(f64_of(x), f64_of(y)));
}

static inline u64 call_fmax(u64 x, u64 y)
{
	return bits_of_f64(fmax(f64_of(x), f64_of(y)));
}

static inline u64 call_copysign(u64 x, u64 y)
{
	return (x & ~(1ULL << 63)) | (y & 1ULL << 63);
}

/* Compiler-rt's conversions: what does not fit is the nearest that does, a NaN by its sign. */
#define TO_INT(name, type, of, result, least, largest)                                                                 \
	static inline u64 name(u64 word)                                                                               \
	{                                                                                                              \
		type x = of(word);                                                                                     \
		if (x != x)                                                                                            \
			return signbit(x) ? (result)least : (result)largest;                                           \
		if (x >= (type)largest)                                                                                \
			return (result)largest;                                                                        \
		if (x <= (type)least)                                                                                  \
			return (result)least;                                                                          \
		return (result)x;                                                                                      \
	}
TO_INT(fixdfdi, double, f64_of, i64, INT64_MIN, INT64_MAX)
TO_INT(signed_of_f64, double, f64_of, i32, INT32_MIN, INT32_MAX)
TO_INT(signed_of_f32, float, f32_of, i32, INT32_MIN, INT32_MAX)
TO_INT(fixunsdfdi, double, f64_of, u64, 0, UINT64_MAX)
TO_INT(fixunsdfsi, double, f64_of, u32, 0, UINT32_MAX)
TO_INT(fixunssfsi, float, f32_of, u32, 0, UINT32_MAX)
TO_INT(fixsfdi, float, f32_of, i64, INT64_MIN, INT64_MAX)

/* As BPF has them in a register: zero-extended. */
static inline u64 fixdfsi(u64 word)
{
	return (u32)signed_of_f64(word);
}

static inline u64 fixsfsi(u64 word)
{
	return (u32)signed_of_f32(word);
}
