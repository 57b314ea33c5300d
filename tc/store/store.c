#include "tc/store/store_impl.h"

#include "base/hash.h"

#define CHECKSUM_SEED 0x7472656174790001u

void store_init(struct store *s, const struct store_ops *ops,
		const struct mem *mem)
{
	s->ops = ops;
	s->mem = mem;
	buf_init(&s->error, mem);
}

void store_fini(struct store *s)
{
	buf_fini(&s->error);
}

int store_refuse(struct store *s, int err, const char *fmt, ...)
{
	va_list args;

	buf_clear(&s->error);
	va_start(args, fmt);
	buf_vprintf(&s->error, fmt, args);
	va_end(args);
	(void)buf_text(&s->error); /* NUL behind it, for store_error() */
	return err;
}

uint64_t row_checksum(const struct row *row)
{
	uint64_t h = hash_u64(CHECKSUM_SEED, (uint64_t)row->table);

	h = hash_u64(h, row->id);
	h = hash_u64(h, row->gtx);
	h = hash_u64(h, (uint64_t)(int64_t)row->status);
	h = hash_bytes(h, row->name);
	return hash_bytes(h, row->body);
}

int store_load(struct store *s, int (*each)(void *ctx, const struct row *row),
	       void *ctx, uint64_t *epoch)
{
	return s->ops->load(s, each, ctx, epoch);
}

int store_apply(struct store *s, const struct effect *effects, size_t n,
		uint64_t epoch, bool durable)
{
	if (s->failed)
		return s->failed;
	return s->ops->apply(s, effects, n, epoch, durable);
}

bool store_idle(struct store *s, uint64_t wall_ms)
{
	return !s->failed && s->ops->idle(s, wall_ms);
}

int store_archived(struct store *s, uint64_t before, size_t limit,
		   bool (*each)(void *ctx, const struct archive *), void *ctx)
{
	return s->ops->archived(s, before, limit, each, ctx);
}

int store_archived_one(struct store *s, uint64_t number,
		       void (*each)(void *ctx, const struct archive *),
		       void *ctx)
{
	return s->ops->archived_one(s, number, each, ctx);
}

int store_audit(struct store *s, const struct audit *audit, uint64_t epoch)
{
	struct effect fx = { .type = FX_AUDIT, .audit = *audit };

	return store_apply(s, &fx, 1, epoch, true);
}

int store_audits(struct store *s, uint64_t before, size_t limit,
		 bool (*each)(void *ctx, const struct audit *), void *ctx)
{
	return s->ops->audits(s, before, limit, each, ctx);
}

int store_history(struct store *s, uint64_t number,
		  void (*each)(void *ctx, const struct history *), void *ctx)
{
	return s->ops->history(s, number, each, ctx);
}

struct store_stats store_stats(const struct store *s)
{
	return s->stats;
}

const char *store_error(const struct store *s)
{
	if (s->error.error)
		return "out of memory";
	return s->error.len ? (const char *)s->error.data : "no error";
}

void store_close(struct store *s)
{
	if (s)
		s->ops->close(s);
}
