#include "base/hash.h"
#include "base/xid.h"
#include "undo/record_json.h"

#include <inttypes.h>
#include <zstd.h>
#include <zstd_errors.h>

#define HEAD_MAX   256  /* the line in front of a part is never longer */
#define PART_MIN   1024 /* what part_max is at least */
#define ZSTD_SPEED 3

/* What the line in front of a part says. */
struct head {
	uint64_t part;
	uint64_t parts;
	uint64_t zstd; /* 1 if the whole is compressed */
	uint64_t raw;  /* length of the JSON */
	uint64_t len;  /* length of the whole as it is stored */
	uint64_t all;  /* checksum of the whole */
	uint64_t sum;  /* checksum of the part with its line up to here */
};

struct part {
	struct head head;
	struct bytes share;
};

static uint64_t seed_of(struct bytes xid, uint64_t branch)
{
	return hash_bytes(hash_u64(RECORD_VERSION, branch), xid);
}

static uint64_t part_sum(uint64_t seed, struct bytes head, struct bytes share)
{
	return hash_bytes(hash_bytes(seed, head), share);
}

static int complain(struct buf *why, int err, const char *fmt, ...)
	PRINTF_LIKE(3, 4);

static int complain(struct buf *why, int err, const char *fmt, ...)
{
	va_list args;

	if (!why)
		return err;
	va_start(args, fmt);
	buf_vprintf(why, fmt, args);
	va_end(args);
	return err;
}

/* ---- writing ---- */

static void put_head(struct buf *out, const struct head *h)
{
	buf_printf(out,
		   "treaty-undo/%d part=%" PRIu64 "/%" PRIu64 " zstd=%" PRIu64
		   " raw=%" PRIu64 " len=%" PRIu64 " all=%016" PRIx64,
		   RECORD_VERSION, h->part, h->parts, h->zstd, h->raw, h->len,
		   h->all);
}

static int put_part(struct arena *arena, const struct head *h, uint64_t seed,
		    struct bytes share, struct record_part *out)
{
	struct buf b;
	int rc;

	buf_init(&b, arena->mem);
	put_head(&b, h);
	buf_printf(&b, " sum=%016" PRIx64 "\n",
		   part_sum(seed, buf_bytes(&b), share));
	buf_put(&b, share);
	rc = buf_error(&b);
	out->info = arena_bytes(arena, buf_bytes(&b));
	buf_clear(&b);
	buf_printf(&b,
		   "serializer=treaty-json/%d&compressorType=%s"
		   "&part=%" PRIu64 "/%" PRIu64,
		   RECORD_VERSION, h->zstd ? "ZSTD" : "NONE", h->part,
		   h->parts);
	if (rc == OK)
		rc = buf_error(&b);
	out->context = arena_bytes(arena, buf_bytes(&b));
	buf_fini(&b);
	return rc == OK && out->info.data && out->context.data ? OK : E_NOMEM;
}

static int split(const struct record *r, const struct record_limits *limits,
		 struct head head, struct bytes whole, struct arena *arena,
		 struct record_parts *out, struct buf *why)
{
	size_t share_max = limits->part_max - HEAD_MAX;
	size_t n = (whole.len + share_max - 1) / share_max;
	uint64_t seed = seed_of(r->xid, r->branch);
	struct record_part *parts;

	if (n > limits->parts_max)
		return complain(why, E_LIMIT,
				"undo record needs %zu parts of %zu bytes, the "
				"limit is %zu; change fewer rows in a branch "
				"or raise the limit",
				n, limits->part_max, limits->parts_max);
	parts = arena_array(arena, n, sizeof *parts);
	if (!parts)
		return E_NOMEM;
	head.parts = n;
	head.len = whole.len;
	head.all = hash_bytes(seed, whole);
	for (size_t i = 0; i < n; i++) {
		size_t from = i * share_max;
		size_t len = whole.len - from;

		if (len > share_max)
			len = share_max;
		head.part = i + 1;
		if (put_part(arena, &head, seed,
			     (struct bytes){ whole.data + from, len },
			     &parts[i]) != OK)
			return E_NOMEM;
	}
	*out = (struct record_parts){ parts, n };
	return OK;
}

/* Compress if it is long and helps; *packed is then to be freed. */
static int compress(const struct mem *mem, const struct record_limits *limits,
		    struct bytes json, uint8_t **packed, size_t *len)
{
	size_t bound = ZSTD_compressBound(json.len);
	uint8_t *p;

	*packed = NULL;
	if (json.len <= limits->compress_from)
		return OK;
	p = mem_alloc(mem, bound);
	if (!p)
		return E_NOMEM;
	*len = ZSTD_compress(p, bound, json.data, json.len, ZSTD_SPEED);
	if (ZSTD_isError(*len)) { /* with room enough, only for memory */
		mem_free(mem, p);
		return E_NOMEM;
	}
	if (*len < json.len)
		*packed = p;
	else
		mem_free(mem, p);
	return OK;
}

static int encode_json(const struct record *r,
		       const struct record_limits *limits, struct bytes json,
		       struct arena *arena, struct record_parts *out,
		       struct buf *why)
{
	struct head head = { .raw = json.len };
	struct bytes whole = json;
	uint8_t *packed;
	size_t len;
	int rc = compress(arena->mem, limits, json, &packed, &len);

	if (rc != OK)
		return rc;
	if (packed) {
		head.zstd = 1;
		whole = (struct bytes){ packed, len };
	}
	rc = split(r, limits, head, whole, arena, out, why);
	mem_free(arena->mem, packed);
	return rc;
}

int record_encode(const struct record *r, const struct record_limits *limits,
		  struct arena *arena, struct record_parts *out,
		  struct buf *why)
{
	struct buf json;
	int rc;

	REQUIRE(limits->part_max >= PART_MIN);
	buf_init(&json, arena->mem);
	json.limit = limits->raw_max;
	record_put_json(&json, r);
	rc = buf_error(&json);
	if (rc == E_LIMIT)
		complain(why, rc,
			 "undo record is longer than %zu bytes; change fewer "
			 "rows in a branch or raise the limit",
			 limits->raw_max);
	if (rc == OK)
		rc = encode_json(r, limits, buf_bytes(&json), arena, out, why);
	buf_fini(&json);
	return rc;
}

/* ---- reading ---- */

static bool read_word(struct reader *r, const char *word)
{
	struct bytes w = bytes_of(word);

	return bytes_equal(read_raw(r, w.len), w) && !r->failed;
}

static bool read_decimal(struct reader *r, uint64_t *out)
{
	size_t n = 0;

	for (*out = 0; n < 18 && r->p < r->end && *r->p >= '0' && *r->p <= '9';
	     n++)
		*out = 10 * *out + (uint64_t)(*r->p++ - '0');
	return n > 0;
}

static bool read_hex(struct reader *r, uint64_t *out)
{
	struct bytes hex = read_raw(r, 16);

	*out = 0;
	for (size_t i = 0; i < hex.len; i++) {
		uint8_t c = hex.data[i];

		if (c >= '0' && c <= '9')
			*out = *out << 4 | (uint64_t)(c - '0');
		else if (c >= 'a' && c <= 'f')
			*out = *out << 4 | (uint64_t)(c - 'a' + 10);
		else
			return false;
	}
	return !r->failed;
}

static bool read_field(struct reader *r, const char *name, uint64_t *out)
{
	return read_word(r, name) && read_decimal(r, out);
}

/* E_CORRUPT, or E_VERSION for a line of another version. */
static int read_part(struct bytes info, uint64_t seed, struct part *out)
{
	struct reader r = reader_of(info);
	struct head *h = &out->head;
	struct bytes line;
	uint64_t version;

	if (!read_field(&r, "treaty-undo/", &version))
		return E_CORRUPT;
	if (version != RECORD_VERSION)
		return E_VERSION;
	if (!read_field(&r, " part=", &h->part) ||
	    !read_field(&r, "/", &h->parts) ||
	    !read_field(&r, " zstd=", &h->zstd) ||
	    !read_field(&r, " raw=", &h->raw) ||
	    !read_field(&r, " len=", &h->len) || !read_word(&r, " all=") ||
	    !read_hex(&r, &h->all))
		return E_CORRUPT;
	line = (struct bytes){ info.data, (size_t)(r.p - info.data) };
	if (!read_word(&r, " sum=") || !read_hex(&r, &h->sum) ||
	    !read_word(&r, "\n"))
		return E_CORRUPT;
	out->share = (struct bytes){ r.p, reader_left(&r) };
	return part_sum(seed, line, out->share) == h->sum ? OK : E_CORRUPT;
}

static bool same_whole(const struct head *a, const struct head *b)
{
	return a->parts == b->parts && a->zstd == b->zstd && a->raw == b->raw &&
	       a->len == b->len && a->all == b->all;
}

/* Put one part in its place among sorted[0..n). */
static int place(struct part *sorted, size_t n, const struct part *p,
		 const struct part *first, struct buf *why)
{
	if (!same_whole(&p->head, &first->head))
		return complain(why, E_CORRUPT,
				"part %" PRIu64 " of %" PRIu64
				" was written apart from the others; the rows "
				"of undo_log are mixed up",
				p->head.part, p->head.parts);
	if (p->head.parts != n)
		return complain(why, E_CORRUPT,
				"%zu of %" PRIu64 " parts are there; rows of "
				"undo_log are missing or too many",
				n, p->head.parts);
	if (p->head.part < 1 || p->head.part > n)
		return complain(why, E_CORRUPT,
				"part %" PRIu64 " of %zu cannot be",
				p->head.part, n);
	if (sorted[p->head.part - 1].head.parts)
		return complain(why, E_CORRUPT,
				"part %" PRIu64 " is there twice",
				p->head.part);
	sorted[p->head.part - 1] = *p;
	return OK;
}

static int sort(struct bytes xid, uint64_t branch, const struct bytes *parts,
		size_t n, struct part *sorted, struct buf *why)
{
	uint64_t seed = seed_of(xid, branch);
	struct part p, first = { 0 };

	for (size_t i = 0; i < n; i++) {
		int rc = read_part(parts[i], seed, &p);

		if (rc == E_VERSION)
			return complain(why, rc,
					"row %zu is of a version that this "
					"agent cannot read; roll back with the "
					"newer agent",
					i + 1);
		if (rc != OK)
			return complain(why, rc,
					"row %zu of its %zu in undo_log is "
					"damaged or belongs to another branch",
					i + 1, n);
		if (i == 0)
			first = p;
		rc = place(sorted, n, &p, &first, why);
		if (rc != OK)
			return rc;
	}
	return OK;
}

static int join(const struct part *sorted, size_t n, uint64_t seed,
		const struct mem *mem, struct bytes *out, struct buf *why)
{
	const struct head *h = &sorted[0].head;
	size_t len = 0;
	uint8_t *whole;

	for (size_t i = 0; i < n; i++)
		len += sorted[i].share.len;
	if (len != h->len)
		return complain(why, E_CORRUPT,
				"its parts make %zu bytes instead of %" PRIu64,
				len, h->len);
	whole = mem_alloc(mem, len);
	if (!whole)
		return E_NOMEM;
	len = 0;
	for (size_t i = 0; i < n; i++) {
		struct bytes share = sorted[i].share;

		if (share.len)
			memcpy(whole + len, share.data, share.len);
		len += share.len;
	}
	*out = (struct bytes){ whole, len };
	if (hash_bytes(seed, *out) == h->all)
		return OK;
	mem_free(mem, whole);
	return complain(why, E_CORRUPT, "its checksum is wrong");
}

/* The whole, unpacked; takes over `whole`. */
static int unpack(const struct head *h, const struct mem *mem,
		  struct bytes *whole, struct buf *why)
{
	size_t raw = (size_t)h->raw, got;
	uint8_t *json;

	if (!h->zstd)
		return whole->len == raw ? OK
					 : complain(why, E_CORRUPT,
						    "its length is wrong");
	if (ZSTD_getFrameContentSize(whole->data, whole->len) != h->raw)
		return complain(why, E_CORRUPT,
				"its compressed length is wrong");
	json = mem_alloc(mem, raw + 1);
	if (!json)
		return E_NOMEM;
	got = ZSTD_decompress(json, raw, whole->data, whole->len);
	if (got != raw) {
		bool memory =
			ZSTD_getErrorCode(got) == ZSTD_error_memory_allocation;

		mem_free(mem, json);
		return memory ? E_NOMEM
			      : complain(why, E_CORRUPT,
					 "it cannot be uncompressed");
	}
	mem_free(mem, (void *)(uintptr_t)whole->data);
	*whole = (struct bytes){ json, raw };
	return OK;
}

static int decode_whole(struct record *out, struct arena *arena,
			const struct part *sorted, size_t n, struct bytes xid,
			uint64_t branch, struct buf *why)
{
	const struct mem *mem = arena->mem;
	struct record r;
	struct bytes whole;
	int rc = join(sorted, n, seed_of(xid, branch), mem, &whole, why);

	if (rc != OK)
		return rc;
	rc = unpack(&sorted[0].head, mem, &whole, why);
	if (rc == OK)
		rc = record_get_json(&r, arena, whole, why);
	mem_free(mem, (void *)(uintptr_t)whole.data);
	if (rc == OK && (r.branch != branch || !bytes_equal(r.xid, xid)))
		return complain(why, E_CORRUPT,
				"it says that it is another branch's");
	if (rc == OK)
		*out = r;
	return rc;
}

int record_decode(struct record *out, struct arena *arena, struct bytes xid,
		  uint64_t branch, const struct bytes *parts, size_t n,
		  const struct record_limits *limits, struct buf *why)
{
	struct part *sorted;
	int rc;

	if (n == 0)
		return complain(why, E_CORRUPT, "it has no part");
	if (n > limits->parts_max)
		return complain(why, E_LIMIT,
				"it has %zu parts, the limit is %zu", n,
				limits->parts_max);
	sorted = mem_array(arena->mem, n, sizeof *sorted);
	if (!sorted)
		return E_NOMEM;
	rc = sort(xid, branch, parts, n, sorted, why);
	if (rc == OK && (sorted[0].head.raw > limits->raw_max ||
			 sorted[0].head.len > limits->raw_max))
		rc = complain(why, E_LIMIT,
			      "it has %" PRIu64 " bytes, the limit is %zu; "
			      "raise the limit",
			      sorted[0].head.raw, limits->raw_max);
	if (rc == OK)
		rc = decode_whole(out, arena, sorted, n, xid, branch, why);
	mem_free(arena->mem, sorted);
	return rc;
}
