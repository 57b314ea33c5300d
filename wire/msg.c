#include "wire/msg.h"

/* What a field is made of; one row of the table below is one field. */
enum kind { KIND_U64, KIND_FLAG, KIND_BYTES, KIND_NUMBERS };

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
	{ 32, KIND_U64, offsetof(struct msg, level) },
	{ 33, KIND_U64, offsetof(struct msg, kind) },
	{ 34, KIND_BYTES, offsetof(struct msg, check) },
	{ 35, KIND_BYTES, offsetof(struct msg, participant) },
	{ 36, KIND_U64, offsetof(struct msg, call_timeout_ms) },
	{ 37, KIND_U64, offsetof(struct msg, deliver_after_ms) },
	{ 38, KIND_NUMBERS, offsetof(struct msg, schedule_ms) },
	{ 39, KIND_FLAG, offsetof(struct msg, topic) },
	{ 40, KIND_BYTES, offsetof(struct msg, version) },
	{ 41, KIND_BYTES, offsetof(struct msg, business_key) },
	{ 42, KIND_BYTES, offsetof(struct msg, input) },
	{ 43, KIND_U64, offsetof(struct msg, move) },
	{ 44, KIND_U64, offsetof(struct msg, task) },
	{ 45, KIND_BYTES, offsetof(struct msg, subscriber) },
	{ 46, KIND_FLAG, offsetof(struct msg, existed) },
	{ 47, KIND_FLAG, offsetof(struct msg, in_progress) },
	{ 48, KIND_BYTES, offsetof(struct msg, error_name) },
	{ 49, KIND_BYTES, offsetof(struct msg, service) },
	{ 50, KIND_BYTES, offsetof(struct msg, method) },
	{ 51, KIND_FLAG, offsetof(struct msg, compensation) },
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
	[MSG_SUBSCRIBE] = "subscribe",
	[MSG_UNSUBSCRIBE] = "unsubscribe",
	[MSG_SAGA_START] = "saga_start",
	[MSG_SAGA_MOVE] = "saga_move",
	[MSG_SAGA_SHOW] = "saga_show",
	[MSG_MACHINE_PUT] = "machine_put",
	[MSG_MACHINE_DROP] = "machine_drop",
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

static void put_numbers(struct buf *out, uint8_t tag, const uint64_t *numbers,
			size_t n)
{
	if (n == 0)
		return;
	put_tag(out, tag, (uint32_t)(n * 8));
	for (size_t i = 0; i < n; i++)
		buf_put_u64(out, numbers[i]);
}

static void put_field(struct buf *out, const struct msg *m,
		      const struct field *f)
{
	const void *at = (const char *)m + f->at;

	if (f->kind == KIND_NUMBERS)
		put_numbers(out, f->tag, m->schedule_ms, m->n_schedule);
	else if (f->kind == KIND_U64 && *(const uint64_t *)at) {
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
	if (m->n_list > MSG_LIST_MAX || m->n_schedule > MSG_SCHEDULE_MAX)
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

static int take_schedule(struct msg *m, const struct mem *mem,
			 struct bytes value)
{
	struct reader r = reader_of(value);
	size_t n = value.len / 8;
	uint64_t *numbers;

	if (value.len % 8 != 0)
		return E_INVALID;
	if (n > MSG_SCHEDULE_MAX)
		return E_LIMIT;
	if (n == 0)
		return OK;
	numbers = mem_array(mem, n, sizeof *numbers);
	if (!numbers)
		return E_NOMEM;
	for (size_t i = 0; i < n; i++)
		numbers[i] = read_u64(&r);
	m->schedule_ms = numbers;
	m->n_schedule = n;
	return OK;
}

/* E_INVALID: a number or a flag that is not of its size. */
static int take_field(struct msg *m, const struct mem *mem,
		      const struct field *f, struct bytes value)
{
	void *at = (char *)m + f->at;
	struct reader r = reader_of(value);

	if (f->kind == KIND_BYTES) {
		*(struct bytes *)at = value;
		return OK;
	}
	if (f->kind == KIND_NUMBERS)
		return take_schedule(m, mem, value);
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

static int take_fields(struct msg *m, const struct mem *mem, struct bytes *list,
		       struct reader *r)
{
	bool seen[256] = { false };
	int rc = OK;

	while (rc == OK && reader_left(r) > 0) {
		uint8_t tag = read_u8(r);
		struct bytes value = read_bytes(r);
		const struct field *f = field_of(tag);

		if (tag == TAG_LIST) {
			list[m->n_list++] = value;
			continue;
		}
		if (!f)
			continue;
		rc = seen[tag] ? E_INVALID : take_field(m, mem, f, value);
		seen[tag] = true;
	}
	return rc;
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
		rc = take_fields(&m, mem, list, &r);
	if (rc == OK) {
		m.list = list;
		*out = m;
	}
	return rc;
}

enum msg_level msg_level(const struct msg *m)
{
	switch (m->type) {
	case MSG_SUBSCRIBE:
	case MSG_UNSUBSCRIBE:
	case MSG_SAGA_START:
	case MSG_SAGA_MOVE:
	case MSG_SAGA_SHOW:
	case MSG_MACHINE_PUT:
	case MSG_MACHINE_DROP:
		return LEVEL_SERVICES;
	case MSG_BEGIN:
		return m->kind || m->check.len ? LEVEL_SERVICES : LEVEL_FIRST;
	case MSG_REGISTER:
		/* Who does not know of them would call the wrong service. */
		return m->participant.len || m->application.len ||
				       m->mode == MODE_SAGA ||
				       m->mode == MODE_MSG
			       ? LEVEL_SERVICES
			       : LEVEL_FIRST;
	default:
		return LEVEL_FIRST;
	}
}
