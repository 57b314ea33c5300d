#include "tc/core/record.h"

enum gtx_tag {
	GTX_STATUS = 1,
	GTX_NAME = 2,
	GTX_APPLICATION = 3,
	GTX_TIMEOUT = 4,
	GTX_BEGAN = 5,
	GTX_N_BRANCHES = 6,
	GTX_ORDERED = 7,
	GTX_KIND = 8,
	GTX_CHECK = 9,
	GTX_PARTICIPANT = 10,
	GTX_CALL_TIMEOUT = 11,
	GTX_DECIDED = 12,
	GTX_KEY = 13,
};

enum branch_tag {
	BR_MODE = 1,
	BR_STATUS = 2,
	BR_CLIENT_KEY = 3,
	BR_RESOURCE = 4,
	BR_APPLICATION = 5,
	BR_INSTANCE = 6,
	BR_DATA = 7,
	BR_ATTEMPTS = 8,
	BR_FAILURES = 9,
	BR_RESOLUTION = 10,
	BR_VALUES = 11,
	BR_ERROR = 12,
	BR_DETAIL = 13,
	BR_LOCK_KEY = 14, /* once for each, in order */
	BR_PARTICIPANT = 15,
	BR_CALL_TIMEOUT = 16,
	BR_DELIVER_AFTER = 17,
	BR_SCHEDULE = 18,
	BR_TOPIC = 19,
	BR_SUBSCRIBER = 20,
};

enum tombstone_tag {
	TOMB_STATUS = 1,
	TOMB_ENDED = 2,
	TOMB_MACHINE = 3,
	TOMB_KEY = 4,
};

enum saga_tag {
	SAGA_MACHINE = 1,
	SAGA_STATE = 2,
	SAGA_PARTICIPANT = 3,
	SAGA_KEY = 4,
};

enum machine_tag { MACHINE_DOCUMENT = 1, MACHINE_ADDED = 2 };

enum topic_tag {
	TOPIC_NAME = 1,
	TOPIC_SUBSCRIBER = 2,
	TOPIC_RESOURCE = 3,
	TOPIC_PARTICIPANT = 4,
};

enum number_tag { NUMBER_VALUE = 1 };

/* No duration is longer; sums of them must not overflow. */
#define DURATION_MAX (UINT64_C(1) << 56)

static void put_bytes(struct buf *out, int tag, struct bytes b)
{
	if (b.len == 0)
		return;
	buf_put_u8(out, (uint8_t)tag);
	buf_put_bytes(out, b);
}

static void put_number(struct buf *out, int tag, uint64_t v)
{
	if (v == 0)
		return;
	buf_put_u8(out, (uint8_t)tag);
	buf_put_u32(out, 8);
	buf_put_u64(out, v);
}

void record_put_gtx(struct buf *out, const struct gtx_record *r)
{
	buf_put_u8(out, r->kind == KIND_PLAIN ? 1 : 2);
	put_number(out, GTX_STATUS, (uint64_t)r->status);
	put_bytes(out, GTX_NAME, r->name);
	put_bytes(out, GTX_APPLICATION, r->application);
	put_number(out, GTX_TIMEOUT, r->timeout_ms);
	put_number(out, GTX_BEGAN, r->began_wall_ms);
	put_number(out, GTX_N_BRANCHES, r->n_branches);
	put_number(out, GTX_ORDERED, r->ordered);
	put_number(out, GTX_KIND, (uint64_t)r->kind);
	put_bytes(out, GTX_CHECK, r->check);
	put_bytes(out, GTX_PARTICIPANT, r->participant);
	put_number(out, GTX_CALL_TIMEOUT, r->call_timeout_ms);
	put_number(out, GTX_DECIDED, r->decided_wall_ms);
	put_bytes(out, GTX_KEY, r->business_key);
}

void record_put_branch(struct buf *out, const struct branch_record *r)
{
	buf_put_u8(out, 1);
	put_number(out, BR_MODE, (uint64_t)r->mode);
	put_number(out, BR_STATUS, (uint64_t)r->status);
	put_number(out, BR_CLIENT_KEY, r->client_key);
	put_bytes(out, BR_RESOURCE, r->resource);
	put_bytes(out, BR_APPLICATION, r->application);
	put_bytes(out, BR_INSTANCE, r->instance);
	put_bytes(out, BR_DATA, r->application_data);
	put_bytes(out, BR_PARTICIPANT, r->participant);
	put_number(out, BR_CALL_TIMEOUT, r->call_timeout_ms);
	put_number(out, BR_DELIVER_AFTER, r->deliver_after_ms);
	put_bytes(out, BR_SCHEDULE, r->schedule);
	put_bytes(out, BR_TOPIC, r->topic);
	put_bytes(out, BR_SUBSCRIBER, r->subscriber);
	put_number(out, BR_ATTEMPTS, r->attempts);
	put_number(out, BR_FAILURES, r->failures);
	put_number(out, BR_RESOLUTION, (uint64_t)r->resolution);
	put_bytes(out, BR_VALUES, r->values);
	put_bytes(out, BR_ERROR, r->error);
	put_bytes(out, BR_DETAIL, r->detail);
	for (size_t i = 0; i < r->n_lock_keys; i++)
		put_bytes(out, BR_LOCK_KEY, r->lock_keys[i]);
}

void record_put_tombstone(struct buf *out, const struct tombstone_record *r)
{
	buf_put_u8(out, 1);
	put_number(out, TOMB_STATUS, (uint64_t)r->status);
	put_number(out, TOMB_ENDED, r->ended_wall_ms);
	put_bytes(out, TOMB_MACHINE, r->machine);
	put_bytes(out, TOMB_KEY, r->business_key);
}

void record_put_saga(struct buf *out, const struct saga_record *r)
{
	buf_put_u8(out, 1);
	put_number(out, SAGA_MACHINE, r->machine);
	put_bytes(out, SAGA_STATE, r->state);
	put_bytes(out, SAGA_PARTICIPANT, r->participant);
	put_bytes(out, SAGA_KEY, r->business_key);
}

void record_put_machine(struct buf *out, const struct machine_record *r)
{
	buf_put_u8(out, 1);
	put_bytes(out, MACHINE_DOCUMENT, r->document);
	put_number(out, MACHINE_ADDED, r->added_wall_ms);
}

void record_put_topic(struct buf *out, const struct topic_record *r)
{
	buf_put_u8(out, 1);
	put_bytes(out, TOPIC_NAME, r->topic);
	put_bytes(out, TOPIC_SUBSCRIBER, r->subscriber);
	put_bytes(out, TOPIC_RESOURCE, r->resource);
	put_bytes(out, TOPIC_PARTICIPANT, r->participant);
}

void record_put_number(struct buf *out, uint64_t number)
{
	buf_put_u8(out, 1);
	put_number(out, NUMBER_VALUE, number);
}

/* ---- reading ---- */

struct field {
	uint8_t tag;
	struct bytes bytes;
	uint64_t number; /* if the bytes are one */
};

static int open_body(struct reader *r, struct bytes body)
{
	uint8_t version;

	*r = reader_of(body);
	version = read_u8(r);
	if (r->failed || version == 0)
		return E_CORRUPT;
	return version > RECORD_VERSION ? E_VERSION : OK;
}

/* False at the end, and when it is cut off: ask the reader which. */
static bool next_field(struct reader *r, struct field *f)
{
	if (r->failed || reader_left(r) == 0)
		return false;
	f->tag = read_u8(r);
	f->bytes = read_bytes(r);
	f->number = 0;
	if (f->bytes.len == 8) {
		struct reader number = reader_of(f->bytes);

		f->number = read_u64(&number);
	}
	return !r->failed;
}

/* A number within 0 … max. */
static bool number_to(uint64_t *out, const struct field *f, uint64_t max)
{
	*out = f->number;
	return f->bytes.len == 8 && f->number <= max;
}

static bool gtx_field(struct gtx_record *out, const struct field *f)
{
	uint64_t v;
	bool ok = true;

	switch (f->tag) {
	case GTX_STATUS:
		ok = number_to(&v, f, GTX_STATUSES - 1);
		out->status = (enum gtx_status)v;
		break;
	case GTX_NAME:
		out->name = f->bytes;
		break;
	case GTX_APPLICATION:
		out->application = f->bytes;
		break;
	case GTX_TIMEOUT:
		return number_to(&out->timeout_ms, f, UINT64_MAX);
	case GTX_BEGAN:
		return number_to(&out->began_wall_ms, f, UINT64_MAX);
	case GTX_N_BRANCHES:
		return number_to(&out->n_branches, f, UINT32_MAX);
	case GTX_ORDERED:
		ok = number_to(&v, f, 1);
		out->ordered = v != 0;
		break;
	case GTX_CHECK:
		out->check = f->bytes;
		break;
	case GTX_PARTICIPANT:
		out->participant = f->bytes;
		break;
	case GTX_KEY:
		out->business_key = f->bytes;
		break;
	case GTX_CALL_TIMEOUT:
		return number_to(&out->call_timeout_ms, f, DURATION_MAX);
	case GTX_DECIDED:
		return number_to(&out->decided_wall_ms, f, UINT64_MAX);
	case GTX_KIND:
		ok = number_to(&v, f, KIND_SAGA);
		out->kind = (enum gtx_kind)v;
		break;
	default: /* of a later version */
		break;
	}
	return ok;
}

int record_get_gtx(struct gtx_record *out, struct bytes body)
{
	struct gtx_record record = { 0 };
	struct reader r;
	struct field f;
	int rc = open_body(&r, body);

	if (rc != OK)
		return rc;
	while (next_field(&r, &f))
		if (!gtx_field(&record, &f))
			return E_CORRUPT;
	if (r.failed || record.status == GTX_UNKNOWN ||
	    (record.kind != KIND_MESSAGE &&
	     (record.check.len > 0 || record.business_key.len > 0)))
		return E_CORRUPT;
	*out = record;
	return OK;
}

size_t record_schedule_len(struct bytes schedule)
{
	return schedule.len / 8;
}

uint64_t record_schedule(struct bytes schedule, size_t i)
{
	struct reader r = reader_of(
		(struct bytes){ schedule.data + 8 * i, schedule.len - 8 * i });

	return read_u64(&r);
}

static bool good_schedule(struct bytes schedule)
{
	if (schedule.len % 8 != 0)
		return false;
	for (size_t i = 0; i < record_schedule_len(schedule); i++)
		if (record_schedule(schedule, i) > DURATION_MAX)
			return false;
	return true;
}

static bool branch_bytes(struct branch_record *out, const struct field *f)
{
	switch (f->tag) {
	case BR_RESOURCE:
		out->resource = f->bytes;
		return true;
	case BR_APPLICATION:
		out->application = f->bytes;
		return true;
	case BR_INSTANCE:
		out->instance = f->bytes;
		return true;
	case BR_DATA:
		out->application_data = f->bytes;
		return true;
	case BR_PARTICIPANT:
		out->participant = f->bytes;
		return true;
	case BR_TOPIC:
		out->topic = f->bytes;
		return true;
	case BR_SUBSCRIBER:
		out->subscriber = f->bytes;
		return true;
	case BR_SCHEDULE:
		out->schedule = f->bytes;
		return good_schedule(f->bytes);
	case BR_VALUES:
		out->values = f->bytes;
		return true;
	case BR_ERROR:
		out->error = f->bytes;
		return true;
	case BR_DETAIL:
		out->detail = f->bytes;
		return true;
	case BR_LOCK_KEY:
		out->n_lock_keys++;
		return f->bytes.len > 0;
	default: /* of a later version */
		return true;
	}
}

static bool branch_field(struct branch_record *out, const struct field *f)
{
	uint64_t v;
	bool ok;

	switch (f->tag) {
	case BR_MODE:
		ok = number_to(&v, f, MODE_MSG);
		out->mode = (enum branch_mode)v;
		return ok;
	case BR_STATUS:
		ok = number_to(&v, f, BRANCH_STATUSES - 1);
		out->status = (enum branch_status)v;
		return ok;
	case BR_RESOLUTION:
		ok = number_to(&v, f, RESOLVE_VALUES);
		out->resolution = (enum resolution)v;
		return ok;
	case BR_CLIENT_KEY:
		return number_to(&out->client_key, f, UINT64_MAX);
	case BR_DELIVER_AFTER:
		return number_to(&out->deliver_after_ms, f, DURATION_MAX);
	case BR_CALL_TIMEOUT:
		return number_to(&out->call_timeout_ms, f, DURATION_MAX);
	case BR_ATTEMPTS:
		return number_to(&out->attempts, f, UINT32_MAX);
	case BR_FAILURES:
		return number_to(&out->failures, f, UINT32_MAX);
	default:
		return branch_bytes(out, f);
	}
}

static int list_keys(struct branch_record *out, const struct mem *mem,
		     struct bytes body)
{
	struct reader r;
	struct field f;
	struct bytes *keys;
	size_t n = 0;

	if (out->n_lock_keys == 0)
		return OK;
	keys = mem_array(mem, out->n_lock_keys, sizeof *keys);
	if (!keys)
		return E_NOMEM;
	REQUIRE(open_body(&r, body) == OK);
	while (next_field(&r, &f))
		if (f.tag == BR_LOCK_KEY)
			keys[n++] = f.bytes;
	REQUIRE(n == out->n_lock_keys);
	out->lock_keys = keys;
	return OK;
}

int record_get_branch(struct branch_record *out, const struct mem *mem,
		      struct bytes body)
{
	struct branch_record record = { 0 };
	struct reader r;
	struct field f;
	int rc = open_body(&r, body);

	if (rc != OK)
		return rc;
	while (next_field(&r, &f))
		if (!branch_field(&record, &f))
			return E_CORRUPT;
	if (r.failed || record.status == BRANCH_UNKNOWN)
		return E_CORRUPT;
	rc = list_keys(&record, mem, body);
	if (rc == OK)
		*out = record;
	return rc;
}

int record_get_tombstone(struct tombstone_record *out, struct bytes body)
{
	struct tombstone_record record = { 0 };
	struct reader r;
	struct field f;
	uint64_t v;
	int rc = open_body(&r, body);

	if (rc != OK)
		return rc;
	while (next_field(&r, &f)) {
		if (f.tag == TOMB_STATUS) {
			if (!number_to(&v, &f, GTX_STATUSES - 1))
				return E_CORRUPT;
			record.status = (enum gtx_status)v;
		} else if (f.tag == TOMB_ENDED) {
			if (!number_to(&record.ended_wall_ms, &f, UINT64_MAX))
				return E_CORRUPT;
		} else if (f.tag == TOMB_MACHINE) {
			record.machine = f.bytes;
		} else if (f.tag == TOMB_KEY) {
			record.business_key = f.bytes;
		}
	}
	if (r.failed || !gtx_status_finished((int)record.status))
		return E_CORRUPT;
	*out = record;
	return OK;
}

static bool saga_field(struct saga_record *out, const struct field *f)
{
	switch (f->tag) {
	case SAGA_MACHINE:
		return number_to(&out->machine, f, UINT64_MAX);
	case SAGA_STATE:
		out->state = f->bytes;
		return true;
	case SAGA_PARTICIPANT:
		out->participant = f->bytes;
		return true;
	case SAGA_KEY:
		out->business_key = f->bytes;
		return true;
	default: /* of a later version */
		return true;
	}
}

int record_get_saga(struct saga_record *out, struct bytes body)
{
	struct saga_record record = { 0 };
	struct reader r;
	struct field f;
	int rc = open_body(&r, body);

	if (rc != OK)
		return rc;
	while (next_field(&r, &f))
		if (!saga_field(&record, &f))
			return E_CORRUPT;
	if (r.failed || record.machine == 0 || record.state.len == 0)
		return E_CORRUPT;
	*out = record;
	return OK;
}

int record_get_machine(struct machine_record *out, struct bytes body)
{
	struct machine_record record = { 0 };
	struct reader r;
	struct field f;
	int rc = open_body(&r, body);

	if (rc != OK)
		return rc;
	while (next_field(&r, &f)) {
		if (f.tag == MACHINE_DOCUMENT)
			record.document = f.bytes;
		else if (f.tag == MACHINE_ADDED &&
			 !number_to(&record.added_wall_ms, &f, UINT64_MAX))
			return E_CORRUPT;
	}
	if (r.failed || record.document.len == 0)
		return E_CORRUPT;
	*out = record;
	return OK;
}

static void topic_field(struct topic_record *out, const struct field *f)
{
	switch (f->tag) {
	case TOPIC_NAME:
		out->topic = f->bytes;
		break;
	case TOPIC_SUBSCRIBER:
		out->subscriber = f->bytes;
		break;
	case TOPIC_RESOURCE:
		out->resource = f->bytes;
		break;
	case TOPIC_PARTICIPANT:
		out->participant = f->bytes;
		break;
	default: /* of a later version */
		break;
	}
}

int record_get_topic(struct topic_record *out, struct bytes body)
{
	struct topic_record record = { 0 };
	struct reader r;
	struct field f;
	int rc = open_body(&r, body);

	if (rc != OK)
		return rc;
	while (next_field(&r, &f))
		topic_field(&record, &f);
	if (r.failed || record.topic.len == 0 || record.subscriber.len == 0 ||
	    record.resource.len == 0)
		return E_CORRUPT;
	*out = record;
	return OK;
}

int record_get_number(uint64_t *out, struct bytes body)
{
	uint64_t number = 0;
	struct reader r;
	struct field f;
	int rc = open_body(&r, body);

	if (rc != OK)
		return rc;
	while (next_field(&r, &f))
		if (f.tag == NUMBER_VALUE &&
		    !number_to(&number, &f, UINT64_MAX))
			return E_CORRUPT;
	if (r.failed)
		return E_CORRUPT;
	*out = number;
	return OK;
}
