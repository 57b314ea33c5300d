#include "wire/msg.h"

/* What a field is made of; one row of the table below is one field. */
enum kind { KIND_U64, KIND_FLAG, KIND_BYTES };

struct field {
	uint8_t tag;
	enum kind kind;
	size_t at; /* offset in struct msg */
};

#define TAG_LIST 1

/* Tags are for ever: a new field takes the next number, one that is gone
 * leaves its number unused. */
static const struct field fields[] = {
	{ 2, KIND_BYTES, offsetof(struct msg, xid) },
	{ 3, KIND_U64, offsetof(struct msg, branch) },
	{ 4, KIND_BYTES, offsetof(struct msg, name) },
	{ 5, KIND_BYTES, offsetof(struct msg, application) },
	{ 6, KIND_BYTES, offsetof(struct msg, instance) },
	{ 7, KIND_U64, offsetof(struct msg, timeout_ms) },
	{ 8, KIND_FLAG, offsetof(struct msg, ordered) },
	{ 9, KIND_U64, offsetof(struct msg, mode) },
	{ 10, KIND_BYTES, offsetof(struct msg, resource) },
	{ 11, KIND_BYTES, offsetof(struct msg, application_data) },
	{ 12, KIND_U64, offsetof(struct msg, client_key) },
	{ 13, KIND_U64, offsetof(struct msg, wait_ms) },
	{ 14, KIND_U64, offsetof(struct msg, status) },
	{ 15, KIND_U64, offsetof(struct msg, count) },
	{ 16, KIND_U64, offsetof(struct msg, first_id) },
	{ 17, KIND_U64, offsetof(struct msg, err) },
	{ 18, KIND_BYTES, offsetof(struct msg, holder) },
	{ 19, KIND_BYTES, offsetof(struct msg, key) },
	{ 20, KIND_U64, offsetof(struct msg, holder_age_ms) },
	{ 21, KIND_BYTES, offsetof(struct msg, text) },
	{ 22, KIND_BYTES, offsetof(struct msg, detail) },
	{ 23, KIND_U64, offsetof(struct msg, command) },
	{ 24, KIND_U64, offsetof(struct msg, attempt) },
	{ 25, KIND_U64, offsetof(struct msg, resolution) },
	{ 26, KIND_BYTES, offsetof(struct msg, values) },
	{ 27, KIND_U64, offsetof(struct msg, heartbeat_ms) },
	{ 28, KIND_BYTES, offsetof(struct msg, coordinator) },
	{ 29, KIND_BYTES, offsetof(struct msg, nonce) },
	{ 30, KIND_BYTES, offsetof(struct msg, signature) },
	{ 31, KIND_BYTES, offsetof(struct msg, traceparent) },
};

static const char *const names[] = {
	[MSG_HELLO] = "hello",
	[MSG_PING] = "ping",
	[MSG_BEGIN] = "begin",
	[MSG_REGISTER] = "register",
	[MSG_REPORT] = "report",
	[MSG_COMMIT] = "commit",
	[MSG_ROLLBACK] = "rollback",
	[MSG_STATUS] = "status",
	[MSG_LOCK_CHECK] = "lock_check",
	[MSG_IDS] = "ids",
	[MSG_BRANCH_DONE] = "branch_done",
	[MSG_WELCOME] = "welcome",
	[MSG_PONG] = "pong",
	[MSG_REPLY] = "reply",
	[MSG_COMMAND] = "command",
	[MSG_HELLO_WANTED] = "hello_wanted",
	[MSG_BYE] = "bye",
};

static const char *type_name(unsigned type)
{
	return type < ARRAY_LEN(names) ? names[type] : NULL;
}

const char *msg_type_name(enum msg_type type)
{
	const char *name = type_name((unsigned)type);

	return name ? name : "unknown";
}

static void put_tag(struct buf *out, uint8_t tag, uint32_t len)
{
	buf_put_u8(out, tag);
	buf_put_u32(out, len);
}

static void put_field(struct buf *out, const struct msg *m,
		      const struct field *f)
{
	const void *at = (const char *)m + f->at;

	if (f->kind == KIND_U64 && *(const uint64_t *)at) {
		put_tag(out, f->tag, 8);
		buf_put_u64(out, *(const uint64_t *)at);
	} else if (f->kind == KIND_FLAG && *(const bool *)at) {
		put_tag(out, f->tag, 1);
		buf_put_u8(out, 1);
	} else if (f->kind == KIND_BYTES && ((const struct bytes *)at)->len) {
		buf_put_u8(out, f->tag);
		buf_put_bytes(out, *(const struct bytes *)at);
	}
}

int msg_encode(struct buf *out, const struct msg *m)
{
	REQUIRE(type_name((unsigned)m->type));
	if (m->n_list > MSG_LIST_MAX)
		return E_LIMIT;
	buf_put_u8(out, MSG_VERSION);
	buf_put_u8(out, (uint8_t)m->type);
	buf_put_u64(out, m->id);
	for (size_t i = 0; i < ARRAY_LEN(fields); i++)
		put_field(out, m, &fields[i]);
	for (size_t i = 0; i < m->n_list; i++) {
		buf_put_u8(out, TAG_LIST);
		buf_put_bytes(out, m->list[i]);
	}
	return buf_error(out);
}

static const struct field *field_of(uint8_t tag)
{
	for (size_t i = 0; i < ARRAY_LEN(fields); i++)
		if (fields[i].tag == tag)
			return &fields[i];
	return NULL;
}

/* E_INVALID: a number or a flag that is not of its size. */
static int take_field(struct msg *m, const struct field *f, struct bytes value)
{
	void *at = (char *)m + f->at;
	struct reader r = reader_of(value);

	if (f->kind == KIND_BYTES) {
		*(struct bytes *)at = value;
		return OK;
	}
	if (f->kind == KIND_U64)
		*(uint64_t *)at = read_u64(&r);
	else
		*(bool *)at = read_u8(&r) != 0;
	return reader_done(&r) ? OK : E_INVALID;
}

/* Count the members of the list, so that it is allocated once. The walk here
 * is the one that decode() repeats; it fails where that one would. */
static int count_list(struct reader r, size_t *n)
{
	*n = 0;
	while (reader_left(&r) > 0) {
		uint8_t tag = read_u8(&r);

		(void)read_bytes(&r);
		if (r.failed)
			return E_INVALID;
		*n += tag == TAG_LIST;
	}
	return *n > MSG_LIST_MAX ? E_LIMIT : OK;
}

static int take_fields(struct msg *m, struct bytes *list, struct reader *r)
{
	bool seen[256] = { false };

	while (reader_left(r) > 0) {
		uint8_t tag = read_u8(r);
		struct bytes value = read_bytes(r);
		const struct field *f = field_of(tag);

		if (tag == TAG_LIST) {
			list[m->n_list++] = value;
			continue;
		}
		if (!f)
			continue;
		if (seen[tag] || take_field(m, f, value) != OK)
			return E_INVALID;
		seen[tag] = true;
	}
	return OK;
}

int msg_decode(struct msg *out, const struct mem *mem, struct bytes body)
{
	struct reader r = reader_of(body);
	struct msg m = { 0 };
	struct bytes *list = NULL;
	uint8_t version = read_u8(&r);
	size_t n;
	int rc;

	if (!r.failed && version != MSG_VERSION)
		return E_VERSION;
	m.type = (enum msg_type)read_u8(&r);
	m.id = read_u64(&r);
	if (r.failed || !type_name((unsigned)m.type))
		return E_INVALID;
	rc = count_list(r, &n);
	if (rc == OK && n > 0) {
		list = mem_array(mem, n, sizeof *list);
		rc = list ? OK : E_NOMEM;
	}
	if (rc == OK)
		rc = take_fields(&m, list, &r);
	if (rc == OK) {
		m.list = list;
		*out = m;
	}
	return rc;
}
