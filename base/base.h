#ifndef BASE_BASE_H
#define BASE_BASE_H

/*
 * What every folder stands on: error codes, borrowed bytes, the memory seam
 * and assertions.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/*
 * What every fallible function returns: 0, or one of these; never errno.
 * The public header repeats the values as TREATY_E…, so they never change.
 */
enum err {
	OK = 0,
	E_NOMEM = -1,    /* out of memory; nothing changed */
	E_LIMIT = -2,    /* a configured limit is reached; nothing changed */
	E_CONFLICT = -3, /* somebody else owns it; nothing changed */
	E_INVALID = -4,  /* malformed or contradictory input */
	E_NOTFOUND = -5, /* no such thing */
	E_STATE = -6,    /* not allowed in the present state */
	E_CORRUPT = -7,  /* stored or received data is damaged */
	E_IO = -8,       /* the disk, network or database failed */
	E_TIMEOUT = -9,  /* not within the time asked for */
	E_UNKNOWN = -10, /* the outcome is not known; look, don't guess */
	E_UNSUPPORTED = -11, /* refused because it cannot be done safely */
	E_CLOSED = -12,      /* closed, stopping, or the peer is gone */
	E_DENIED = -13,      /* not authenticated, or not allowed */
	E_DEADLOCK = -14,    /* waiting would never end */
	E_DIRTY = -15,       /* a row was changed from outside; undo stopped */
	E_VERSION = -16,     /* made by another version that we can't read */
	E_AGAIN = -17,       /* not now; try again */
	E_ROLLED_BACK = -18, /* the global transaction is rolled back */
};

/* A short stable word for an error code, e.g. "conflict". Never NULL. */
const char *err_name(int err);

#define MUST_CHECK             __attribute__((warn_unused_result))
#define PRINTF_LIKE(fmt, args) __attribute__((format(printf, fmt, args)))
#define ARRAY_LEN(a)           (sizeof(a) / sizeof((a)[0]))
#define CONTAINER_OF(ptr, type, member)                                        \
	((type *)(void *)((char *)(ptr)-offsetof(type, member)))

/* Borrowed bytes. Never owns; never NUL-terminated by promise. */
struct bytes {
	const uint8_t *data;
	size_t len;
};

/* The bytes of a string literal, and of a C string (NULL gives none). */
#define BYTES(literal)                                                         \
	((struct bytes){ (const uint8_t *)("" literal), sizeof(literal) - 1 })
struct bytes bytes_of(const char *text);

bool bytes_equal(struct bytes a, struct bytes b);
/* memcmp order, the shorter first among equals: <0, 0, >0. */
int bytes_compare(struct bytes a, struct bytes b);

/* Where memory comes from. Tests hand in one that fails on the n-th call. */
struct mem {
	void *(*alloc)(void *ctx, size_t size); /* zeroed, or NULL */
	void (*free)(void *ctx, void *p);       /* NULL is fine */
	void *ctx;
};

/* The process heap. */
extern const struct mem mem_heap;

void *mem_alloc(const struct mem *mem, size_t size); /* zeroed, or NULL */
void *mem_array(const struct mem *mem, size_t n, size_t size); /* no overflow */
void mem_free(const struct mem *mem, void *p);
/* A copy of the bytes with a NUL behind them, or NULL. Freed by mem_free(). */
char *mem_text(const struct mem *mem, struct bytes b);

/* A broken promise inside this program. Always on; not for bad input. */
#define REQUIRE(cond) ((cond) ? (void)0 : base_panic(#cond, __FILE__, __LINE__))
_Noreturn void base_panic(const char *cond, const char *file, int line);

#endif
