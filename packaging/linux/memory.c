/*
 * memcpy, memmove, memset, memcmp and bcmp for the static program.
 *
 * Those of musl copy with `rep movsq` and compare byte by byte. bcproxy moves and compares hundreds of short pieces a
 * request, which made requests 3 to 7 % dearer than with glibc, and decompression 20 %. packaging/binary links this
 * file in front of musl. packaging/linux/test_memory compares each function with a plain loop.
 *
 * Short pieces are done with two accesses that overlap, one at each end; long ones in a loop. Every x86-64 processor
 * has vectors of 16 bytes (SSE2); copies use those of 32 bytes (AVX) where there are any.
 */
#include <cpuid.h>
#include <immintrin.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef unsigned char byte;

/* From here on, microcode beats a loop. */
enum { REP_FROM = 2048 };

/* Accesses without alignment. GCC makes single instructions of these calls. */
#define UNALIGNED(name, type)                                                                                          \
    static inline type load_##name(const byte *at) {                                                                   \
        type value;                                                                                                    \
        __builtin_memcpy(&value, at, sizeof value);                                                                    \
        return value;                                                                                                  \
    }                                                                                                                  \
    static inline void store_##name(byte *at, type value) { __builtin_memcpy(at, &value, sizeof value); }
UNALIGNED(2, uint16_t)
UNALIGNED(4, uint32_t)
UNALIGNED(8, uint64_t)

static inline __m128i load_16(const byte *at) { return _mm_loadu_si128((const __m128i *)at); }
static inline void store_16(byte *at, __m128i value) { _mm_storeu_si128((__m128i *)at, value); }

/* Whether the processor has AVX, and the system saves its registers. Until this is known, copies do without. */
static int has_avx;

#ifndef WITHOUT_AVX
__attribute__((constructor)) static void look_for_avx(void) {
    unsigned a, b, c, d;
    if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & bit_OSXSAVE) || !(c & bit_AVX)) return;
    __asm__("xgetbv" : "=a"(a), "=d"(d) : "c"(0));
    has_avx = (a & 6) == 6;
}
#endif

/* Up to 32 bytes. Everything is read before anything is written, so the pieces may overlap. */
static inline void copy_short(byte *to, const byte *from, size_t length) {
    if (length >= 16) {
        __m128i a = load_16(from), b = load_16(from + length - 16);
        store_16(to, a), store_16(to + length - 16, b);
    } else if (length >= 8) {
        uint64_t a = load_8(from), b = load_8(from + length - 8);
        store_8(to, a), store_8(to + length - 8, b);
    } else if (length >= 4) {
        uint32_t a = load_4(from), b = load_4(from + length - 4);
        store_4(to, a), store_4(to + length - 4, b);
    } else if (length >= 2) {
        uint16_t a = load_2(from), b = load_2(from + length - 2);
        store_2(to, a), store_2(to + length - 2, b);
    } else if (length == 1) {
        *to = *from;
    }
}

/*
 * The copies of longer pieces, once for each kind of vector. They may overlap.
 *
 * Up to eight vectors, everything is read before anything is written. Beyond, a loop copies four vectors a step: from
 * the back if the target is in the source, otherwise from the front. What the loop leaves is read before it begins,
 * since the loop may overwrite it.
 */
#define COPIES(name, vector, load, store, attribute)                                                                   \
    attribute static void *copy_##name(byte *to, const byte *from, size_t length) {                                    \
        enum { SIZE = sizeof(vector) };                                                                                \
        const byte *last = from + length - SIZE;                                                                       \
        byte *last_to = to + length - SIZE;                                                                            \
        if (length <= 2 * SIZE) {                                                                                      \
            vector a = load(from), b = load(last);                                                                     \
            store(to, a), store(last_to, b);                                                                           \
            return to;                                                                                                 \
        }                                                                                                              \
        vector a = load(from), b = load(from + SIZE), c = load(last - SIZE), d = load(last);                           \
        if (length <= 4 * SIZE) {                                                                                      \
            store(to, a), store(to + SIZE, b), store(last_to - SIZE, c), store(last_to, d);                            \
            return to;                                                                                                 \
        }                                                                                                              \
        if (length <= 8 * SIZE) {                                                                                      \
            vector e = load(from + 2 * SIZE), f = load(from + 3 * SIZE);                                               \
            vector g = load(last - 3 * SIZE), h = load(last - 2 * SIZE);                                               \
            store(to, a), store(to + SIZE, b), store(to + 2 * SIZE, e), store(to + 3 * SIZE, f);                       \
            store(last_to - 3 * SIZE, g), store(last_to - 2 * SIZE, h), store(last_to - SIZE, c), store(last_to, d);   \
            return to;                                                                                                 \
        }                                                                                                              \
        if ((size_t)(to - from) < length) {                                                                            \
            vector g = load(from + 2 * SIZE), h = load(from + 3 * SIZE);                                               \
            size_t left = length;                                                                                      \
            for (; left > 4 * SIZE; left -= 4 * SIZE) {                                                                \
                const byte *end = from + left;                                                                         \
                vector p = load(end - 4 * SIZE), q = load(end - 3 * SIZE);                                             \
                vector r = load(end - 2 * SIZE), s = load(end - SIZE);                                                 \
                byte *end_to = to + left;                                                                              \
                store(end_to - 4 * SIZE, p), store(end_to - 3 * SIZE, q);                                              \
                store(end_to - 2 * SIZE, r), store(end_to - SIZE, s);                                                  \
            }                                                                                                          \
            store(to, a), store(to + SIZE, b), store(to + 2 * SIZE, g), store(to + 3 * SIZE, h);                       \
            return to;                                                                                                 \
        }                                                                                                              \
        vector g = load(last - 3 * SIZE), h = load(last - 2 * SIZE);                                                   \
        for (size_t done = 0; done + 4 * SIZE < length; done += 4 * SIZE) {                                            \
            const byte *at = from + done;                                                                              \
            vector p = load(at), q = load(at + SIZE), r = load(at + 2 * SIZE), s = load(at + 3 * SIZE);                \
            byte *at_to = to + done;                                                                                   \
            store(at_to, p), store(at_to + SIZE, q), store(at_to + 2 * SIZE, r), store(at_to + 3 * SIZE, s);           \
        }                                                                                                              \
        store(last_to - 3 * SIZE, g), store(last_to - 2 * SIZE, h), store(last_to - SIZE, c), store(last_to, d);       \
        return to;                                                                                                     \
    }

#define LOAD_32(at) _mm256_loadu_si256((const __m256i *)(at))
#define STORE_32(at, value) _mm256_storeu_si256((__m256i *)(at), value)
COPIES(narrow, __m128i, load_16, store_16, )
COPIES(wide, __m256i, LOAD_32, STORE_32, __attribute__((target("avx"))))

/* Eight bytes at a time: old processors have no fast path for single bytes. */
static inline void copy_by_microcode(byte *to, const byte *from, size_t length) {
    uint64_t last = load_8(from + length - 8);
    byte *end = to + length;
    size_t steps = length / 8;
    __asm__ volatile("rep movsq" : "+D"(to), "+S"(from), "+c"(steps) : : "memory");
    store_8(end - 8, last);
}

void *memcpy(void *restrict to, const void *restrict from, size_t length) {
    if (length > 32 && length < REP_FROM) return has_avx ? copy_wide(to, from, length) : copy_narrow(to, from, length);
    if (length <= 32) {
        copy_short(to, from, length);
    } else {
        copy_by_microcode(to, from, length);
    }
    return to;
}

void *memmove(void *to, const void *from, size_t length) {
    if (length > 32) return has_avx ? copy_wide(to, from, length) : copy_narrow(to, from, length);
    copy_short(to, from, length);
    return to;
}

void *memset(void *to, int value, size_t length) {
    byte *at = to;
    uint64_t eight = 0x0101010101010101u * (byte)value;
    __m128i sixteen = _mm_set1_epi64x((long long)eight);
    if (length >= 16) {
        byte *last = at + length - 16;
        if (length >= REP_FROM) {
            size_t steps = length / 8;
            __asm__ volatile("rep stosq" : "+D"(at), "+c"(steps) : "a"(eight) : "memory");
            store_16(last, sixteen);
            return to;
        }
        store_16(at, sixteen);
        for (at = (byte *)(((uintptr_t)at | 15) + 1); at < last; at += 16) {
            _mm_store_si128((__m128i *)at, sixteen);
        }
        store_16(last, sixteen);
    } else if (length >= 8) {
        store_8(at, eight), store_8(at + length - 8, eight);
    } else if (length >= 4) {
        store_4(at, (uint32_t)eight), store_4(at + length - 4, (uint32_t)eight);
    } else if (length >= 2) {
        store_2(at, (uint16_t)eight), store_2(at + length - 2, (uint16_t)eight);
    } else if (length == 1) {
        *at = (byte)value;
    }
    return to;
}

/* A bit for each of 16 bytes: whether they differ. */
static inline unsigned differing(const byte *left, const byte *right) {
    return (unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(load_16(left), load_16(right))) ^ 0xffff;
}

static inline int compare_at(const byte *left, const byte *right, unsigned differences) {
    int at = __builtin_ctz(differences);
    return left[at] - right[at];
}

/* -1, 0 or 1 for big-endian numbers. */
static inline int compare_numbers(uint64_t left, uint64_t right) { return (left > right) - (left < right); }

int memcmp(const void *left_start, const void *right_start, size_t length) {
    const byte *left = left_start, *right = right_start;
    if (length >= 16) {
        size_t last = length - 16;
        for (size_t at = 0; at < last; at += 16) {
            unsigned differences = differing(left + at, right + at);
            if (differences) return compare_at(left + at, right + at, differences);
        }
        unsigned differences = differing(left + last, right + last);
        return differences ? compare_at(left + last, right + last, differences) : 0;
    }
    if (length >= 8) {
        uint64_t first_left = load_8(left), first_right = load_8(right);
        if (first_left != first_right) {
            return compare_numbers(__builtin_bswap64(first_left), __builtin_bswap64(first_right));
        }
        uint64_t last_left = load_8(left + length - 8), last_right = load_8(right + length - 8);
        return compare_numbers(__builtin_bswap64(last_left), __builtin_bswap64(last_right));
    }
    if (length >= 4) {
        uint64_t whole_left = (uint64_t)__builtin_bswap32(load_4(left)) << 32;
        uint64_t whole_right = (uint64_t)__builtin_bswap32(load_4(right)) << 32;
        whole_left |= __builtin_bswap32(load_4(left + length - 4));
        whole_right |= __builtin_bswap32(load_4(right + length - 4));
        return compare_numbers(whole_left, whole_right);
    }
    for (size_t at = 0; at < length; at++) {
        if (left[at] != right[at]) return left[at] - right[at];
    }
    return 0;
}

int bcmp(const void *left_start, const void *right_start, size_t length) {
    const byte *left = left_start, *right = right_start;
    if (length >= 16) {
        size_t last = length - 16;
        for (size_t at = 0; at < last; at += 16) {
            if (differing(left + at, right + at)) return 1;
        }
        return differing(left + last, right + last) != 0;
    }
    if (length >= 8) {
        return ((load_8(left) ^ load_8(right)) | (load_8(left + length - 8) ^ load_8(right + length - 8))) != 0;
    }
    if (length >= 4) {
        return ((load_4(left) ^ load_4(right)) | (load_4(left + length - 4) ^ load_4(right + length - 4))) != 0;
    }
    if (length >= 2) {
        return ((load_2(left) ^ load_2(right)) | (load_2(left + length - 2) ^ load_2(right + length - 2))) != 0;
    }
    return length == 1 && *left != *right;
}
