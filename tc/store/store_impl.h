#ifndef TC_STORE_STORE_IMPL_H
#define TC_STORE_STORE_IMPL_H

/*
 * What every store is inside: a table of functions, counters and the story of
 * its last error. An adapter embeds struct store as its first member.
 */

#include "base/buf.h"
#include "tc/store/store.h"

struct store_ops {
	int (*load)(struct store *s,
		    int (*each)(void *ctx, const struct row *row), void *ctx,
		    uint64_t *epoch);
	int (*apply)(struct store *s, const struct effect *effects, size_t n,
		     uint64_t epoch, bool durable);
	bool (*idle)(struct store *s, uint64_t wall_ms);
	int (*archived)(struct store *s, uint64_t before, size_t limit,
			bool (*each)(void *ctx, const struct archive *),
			void *ctx);
	int (*archived_one)(struct store *s, uint64_t number,
			    void (*each)(void *ctx, const struct archive *),
			    void *ctx);
	int (*history)(struct store *s, uint64_t number,
		       void (*each)(void *ctx, const struct history *),
		       void *ctx);
	int (*audits)(struct store *s, uint64_t before, size_t limit,
		      bool (*each)(void *ctx, const struct audit *), void *ctx);
	void (*close)(struct store *s);
};

struct store {
	const struct store_ops *ops;
	const struct mem *mem;
	struct store_stats stats;
	struct buf error;
	int failed; /* OK, or what every call answers from now on */
};

void store_init(struct store *s, const struct store_ops *ops,
		const struct mem *mem);
void store_fini(struct store *s);

/* Remember the story and return `err`. */
int store_refuse(struct store *s, int err, const char *fmt, ...)
	PRINTF_LIKE(3, 4);

/* A checksum over the body and every column of a row. */
uint64_t row_checksum(const struct row *row);

#endif
