#include "tests/fakes/desk.h"

#include <stdio.h>
#include <stdlib.h>

/* ---- memory ---- */

static void *keep(struct desk *d, void *p)
{
	REQUIRE(d->n_texts < ARRAY_LEN(d->texts) && p);
	d->texts[d->n_texts++] = p;
	return p;
}

static struct bytes own(struct desk *d, struct bytes b)
{
	char *text = keep(d, mem_text(&mem_heap, b));

	return (struct bytes){ (uint8_t *)text, b.len };
}

static struct bytes dup_body(struct bytes b)
{
	char *text = mem_text(&mem_heap, b);

	REQUIRE(text);
	return (struct bytes){ (uint8_t *)text, b.len };
}

static void free_body(struct desk_row *row)
{
	free((void *)(uintptr_t)row->body.data);
}

/* ---- rows ---- */

static void change(struct desk *d, const struct effect *e, uint64_t seq)
{
	struct desk_change *ch = &d->changes[d->n_changes++];

	REQUIRE(d->n_changes < DESK_MAX);
	d->n_taken++;
	*ch = (struct desk_change){
		.seq = seq,
		.put = e->type == FX_PUT,
		.row = { e->row.table, e->row.id, e->row.gtx,
			 dup_body(e->row.body) },
	};
}

static void apply(struct desk *d, struct desk_change *ch)
{
	struct desk_row *row = NULL;

	for (size_t i = 0; i < d->n_rows; i++)
		if (d->rows[i].table == ch->row.table &&
		    d->rows[i].id == ch->row.id)
			row = &d->rows[i];
	if (row)
		free_body(row);
	if (ch->put) {
		if (!row)
			row = &d->rows[d->n_rows++];
		REQUIRE(d->n_rows < DESK_MAX);
		*row = ch->row;
		return;
	}
	free_body(&ch->row);
	if (row)
		*row = d->rows[--d->n_rows];
}

size_t desk_count(const struct desk *d, enum row_table table)
{
	size_t n = 0;

	for (size_t i = 0; i < d->n_rows; i++)
		n += d->rows[i].table == table;
	return n;
}

/* ---- effects ---- */

static void take_reply(struct desk *d, const struct reply *from)
{
	struct reply *r = &d->replies[d->n_replies++];

	REQUIRE(d->n_replies < DESK_MAX);
	*r = *from;
	r->xid = own(d, r->xid);
	r->holder = own(d, r->holder);
	r->key = own(d, r->key);
	r->text = own(d, r->text);
	r->detail = own(d, r->detail);
	r->name = own(d, r->name);
	r->version = own(d, r->version);
	r->change = own(d, r->change);
}

static void take_command(struct desk *d, const struct command *from)
{
	struct command *co = &d->commands[d->n_commands++];

	REQUIRE(d->n_commands < DESK_MAX);
	*co = *from;
	co->xid = own(d, co->xid);
	co->resource = own(d, co->resource);
	co->application_data = own(d, co->application_data);
	co->values = own(d, co->values);
	co->participant = own(d, co->participant);
	co->service = own(d, co->service);
	co->method = own(d, co->method);
}

static void take_audit(struct desk *d, const struct audit *from)
{
	struct audit *a = &d->audits[d->n_audits++];

	REQUIRE(d->n_audits < DESK_MAX);
	*a = *from;
	a->actor = own(d, a->actor);
	a->action = own(d, a->action);
	a->xid = own(d, a->xid);
	a->reason = own(d, a->reason);
	a->detail = own(d, a->detail);
}

static void take(struct desk *d, const struct effects *fx)
{
	for (size_t i = 0; i < fx->n; i++) {
		const struct effect *e = &fx->items[i];

		switch (e->type) {
		case FX_PUT:
		case FX_DELETE:
			change(d, e, fx->seq);
			break;
		case FX_REPLY:
			take_reply(d, &e->reply);
			break;
		case FX_COMMAND:
			take_command(d, &e->command);
			break;
		case FX_HISTORY:
			REQUIRE(d->n_history < DESK_MAX);
			d->lines[d->n_history] = e->history;
			d->history[d->n_history++] =
				keep(d, mem_text(&mem_heap, e->history.text));
			break;
		case FX_AUDIT:
			take_audit(d, &e->audit);
			break;
		case FX_ARCHIVE:
			REQUIRE(d->n_archives < DESK_MAX);
			d->archives[d->n_archives] = e->archive;
			d->archives[d->n_archives++].detail =
				own(d, e->archive.detail);
			break;
		}
	}
	REQUIRE(!fx->seq || fx->seq == d->seq + 1);
	if (fx->seq)
		d->seq = fx->seq;
	d->forced_steps += fx->forced;
}

static int step(struct desk *d, struct event event)
{
	struct effects fx;
	int rc;

	event.now_ms = d->now_ms;
	event.wall_ms = d->now_ms + 100000000 + (uint64_t)d->wall_skew_ms;
	rc = core_step(d->core, &event, &fx);
	core_check(d->core);
	if (rc == OK)
		take(d, &fx);
	return rc;
}

void desk_store(struct desk *d)
{
	uint64_t seq = d->seq;

	for (size_t i = 0; i < d->n_changes; i++)
		apply(d, &d->changes[i]);
	d->n_changes = 0;
	d->stored = seq;
	REQUIRE(step(d, (struct event){ .type = EV_STORED, .seq = seq }) == OK);
}

int desk_step(struct desk *d, struct event event)
{
	int rc = step(d, event);

	while (rc == OK && d->auto_store && d->seq > d->stored)
		desk_store(d);
	return rc;
}

/* ---- beginning and end ---- */

struct core_config desk_config(void)
{
	struct core_config config;

	core_config_default(&config);
	config.coordinator = BYTES("tc:1");
	config.seed = 42;
	return config;
}

struct desk *desk_new_raw(const struct core_config *config,
			  const struct mem *mem)
{
	struct desk *d = calloc(1, sizeof *d);

	REQUIRE(d);
	d->config = *config;
	d->mem = mem;
	d->now_ms = 1000;
	if (core_new(&d->core, mem, config) == OK)
		return d;
	free(d);
	return NULL;
}

struct desk *desk_new(const struct core_config *config, bool auto_store)
{
	struct desk *d = desk_new_raw(config, &mem_heap);

	REQUIRE(d);
	d->auto_store = auto_store;
	REQUIRE(desk_step(d, (struct event){ .type = EV_READY }) == OK);
	desk_store(d);
	return d;
}

static void forget_changes(struct desk *d)
{
	for (size_t i = 0; i < d->n_changes; i++)
		free_body(&d->changes[i].row);
	d->n_changes = 0;
}

void desk_clear(struct desk *d)
{
	d->n_replies = d->n_commands = d->n_history = 0;
	d->n_archives = d->n_audits = 0;
}

void desk_free(struct desk *d)
{
	core_free(d->core);
	forget_changes(d);
	for (size_t i = 0; i < d->n_rows; i++)
		free_body(&d->rows[i]);
	for (size_t i = 0; i < d->n_texts; i++)
		free(d->texts[i]);
	free(d);
}

int desk_crash(struct desk *d)
{
	bool auto_store = d->auto_store;
	int rc = OK;

	core_free(d->core);
	d->core = NULL;
	forget_changes(d);
	desk_clear(d);
	d->seq = d->stored = 0;
	d->auto_store = false;
	REQUIRE(core_new(&d->core, d->mem, &d->config) == OK);
	for (size_t i = d->n_rows; rc == OK && i-- > 0;) {
		struct event e = { .type = EV_LOADED };

		e.row.table = d->rows[i].table;
		e.row.id = d->rows[i].id;
		e.row.gtx = d->rows[i].gtx;
		e.row.body = d->rows[i].body;
		rc = step(d, e);
	}
	d->auto_store = auto_store;
	if (rc == OK)
		rc = step(d, (struct event){ .type = EV_READY });
	if (rc == OK)
		desk_store(d);
	return rc;
}

void desk_pass(struct desk *d, uint64_t ms)
{
	uint64_t end = d->now_ms + ms, due;

	while ((due = core_deadline(d->core)) <= end) {
		REQUIRE(due >= d->now_ms);
		d->now_ms = due;
		REQUIRE(desk_step(d, (struct event){ .type = EV_TIME }) == OK);
	}
	d->now_ms = end;
}

/* ---- short forms ---- */

void desk_peer(struct desk *d, uint64_t peer, const char *application,
	       const char *instance, const char *resource)
{
	struct bytes r = bytes_of(resource);
	struct event e = { .type = EV_PEER_UP };

	e.up = (struct peer_up){
		.peer = peer,
		.application = bytes_of(application),
		.instance = bytes_of(instance),
		.resources = &r,
		.n_resources = resource ? 1 : 0,
	};
	REQUIRE(desk_step(d, e) == OK);
}

void desk_gone(struct desk *d, uint64_t peer)
{
	REQUIRE(desk_step(d, (struct event){ .type = EV_PEER_GONE,
					     .peer = peer }) == OK);
}

uint64_t desk_ask(struct desk *d, struct request rq)
{
	rq.id = ++d->next_id;
	REQUIRE(desk_step(d, (struct event){ .type = EV_REQUEST,
					     .request = rq }) == OK);
	return rq.id;
}

const struct reply *desk_find_reply(struct desk *d, uint64_t id)
{
	const struct reply *found = NULL;

	for (size_t i = 0; i < d->n_replies; i++) {
		if (d->replies[i].id != id)
			continue;
		REQUIRE(!found); /* answered once */
		found = &d->replies[i];
	}
	return found;
}

const struct reply *desk_reply(struct desk *d, uint64_t id)
{
	const struct reply *r = desk_find_reply(d, id);

	REQUIRE(r);
	return r;
}

struct bytes desk_begin(struct desk *d)
{
	uint64_t id = desk_ask(
		d, (struct request){ .type = RQ_BEGIN, .name = BYTES("buy") });
	const struct reply *r = desk_reply(d, id);

	REQUIRE(r->err == OK && r->status == GTX_BEGIN);
	return r->xid;
}

uint64_t desk_ask_register(struct desk *d, struct bytes xid, uint64_t peer,
			   enum branch_mode mode, const char *resource,
			   const char *keys, uint64_t wait_ms,
			   uint64_t client_key)
{
	struct bytes list[64];
	size_t n = strlen(keys);

	REQUIRE(n <= ARRAY_LEN(list));
	for (size_t i = 0; i < n; i++)
		list[i] = (struct bytes){ (const uint8_t *)keys + i, 1 };
	return desk_ask(d, (struct request){ .type = RQ_REGISTER,
					     .peer = peer,
					     .xid = xid,
					     .mode = mode,
					     .resource = bytes_of(resource),
					     .lock_keys = list,
					     .n_lock_keys = n,
					     .wait_ms = wait_ms,
					     .client_key = client_key });
}

uint64_t desk_register(struct desk *d, struct bytes xid, uint64_t peer,
		       enum branch_mode mode, const char *resource,
		       const char *keys)
{
	uint64_t id =
		desk_ask_register(d, xid, peer, mode, resource, keys, 0, 0);
	const struct reply *r = desk_reply(d, id);

	REQUIRE(r->err == OK && r->branch != 0);
	return r->branch;
}

uint64_t desk_ask_end(struct desk *d, struct bytes xid, bool commit,
		      uint64_t wait_ms)
{
	return desk_ask(
		d, (struct request){ .type = commit ? RQ_COMMIT : RQ_ROLLBACK,
				     .xid = xid,
				     .wait_ms = wait_ms });
}

const struct command *desk_command(const struct desk *d, uint64_t branch)
{
	for (size_t i = d->n_commands; i-- > 0;)
		if (d->commands[i].branch == branch)
			return &d->commands[i];
	return NULL;
}

void desk_done(struct desk *d, const struct command *command,
	       enum branch_status status, const char *error)
{
	struct event e = { .type = EV_BRANCH_DONE };

	REQUIRE(command);
	e.done = (struct branch_done){ .peer = command->peer,
				       .command = command->id,
				       .type = command->type,
				       .xid = command->xid,
				       .branch = command->branch,
				       .status = status,
				       .error = bytes_of(error) };
	REQUIRE(desk_step(d, e) == OK);
}

enum gtx_status desk_status(struct desk *d, struct bytes xid)
{
	uint64_t id =
		desk_ask(d, (struct request){ .type = RQ_STATUS, .xid = xid });

	return desk_reply(d, id)->status;
}

const struct history *desk_line(const struct desk *d, const char *part)
{
	for (size_t i = d->n_history; i > 0; i--)
		if (strstr(d->history[i - 1], part))
			return &d->lines[i - 1];
	base_panic(part, __FILE__, __LINE__);
}

bool desk_said(const struct desk *d, const char *part)
{
	for (size_t i = 0; i < d->n_history; i++)
		if (strstr(d->history[i], part))
			return true;
	return false;
}
