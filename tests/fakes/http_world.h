#ifndef TESTS_FAKES_HTTP_WORLD_H
#define TESTS_FAKES_HTTP_WORLD_H

/*
 * A core and a store that say what a test tells them to, for the http door.
 * Defines their questions, so include it in one file of a test program only.
 */

#include "base/lock_key.h"
#include "tc/door/door.h"

struct world {
	struct gtx_view gtx[8]; /* unfinished, by number */
	size_t n_gtx;
	struct branch_view branches[4]; /* of each of them */
	size_t n_branches;
	struct archive archived[8]; /* newest first */
	size_t n_archived;
	struct history lines[4];
	size_t n_lines;
	struct machine_view machines[4];
	size_t n_machines;
	struct topic_view topics[4];
	size_t n_topics;
	uint64_t tombstone; /* its number; 0: none */
	int store_error;

	struct gtx_filter filter; /* the last one asked for */
	struct request request;   /* the last event's */
	uint8_t text[512];        /* behind request.text */
	uint8_t reason[512];
	uint8_t name[512]; /* and .name, … */
	uint8_t version[512];
	uint8_t input[512];
	uint8_t business_key[512];
	uint8_t resource[512];
	uint8_t subscriber[512];
	size_t events;
	int event_error;
	uint64_t now_ms;
	enum host_state state;
};

static struct world world;

static struct bytes keep(uint8_t *to, struct bytes b)
{
	REQUIRE(b.len <= 512);
	if (b.len)
		memcpy(to, b.data, b.len);
	return (struct bytes){ to, b.len };
}

static int world_event(void *ctx, struct event *event)
{
	(void)ctx;
	REQUIRE(event->type == EV_REQUEST);
	world.request = event->request;
	world.request.text = keep(world.text, event->request.text);
	world.request.reason = keep(world.reason, event->request.reason);
	world.request.name = keep(world.name, event->request.name);
	world.request.version = keep(world.version, event->request.version);
	world.request.input = keep(world.input, event->request.input);
	world.request.business_key =
		keep(world.business_key, event->request.business_key);
	world.request.resource = keep(world.resource, event->request.resource);
	world.request.subscriber =
		keep(world.subscriber, event->request.subscriber);
	world.events++;
	return world.event_error;
}

static uint64_t world_now_ms(void *ctx)
{
	(void)ctx;
	return world.now_ms;
}

static enum host_state world_state(void *ctx)
{
	(void)ctx;
	return world.state;
}

static const struct core *world_core(void *ctx)
{
	(void)ctx;
	return NULL;
}

static struct store *world_store(void *ctx)
{
	(void)ctx;
	return NULL;
}

static struct door_stats world_door_stats(void *ctx, enum door_number door)
{
	(void)ctx;
	REQUIRE(door == DOOR_CALLER);
	return (struct door_stats){ .messages_out = 12, .accepted = 2 };
}

static void world_metrics(void *ctx, struct buf *out)
{
	(void)ctx;
	buf_put_text(out, "treaty_locks 7\n");
}

static struct door_port world_port = {
	.event = world_event,
	.now_ms = world_now_ms,
	.wall_ms = world_now_ms,
	.state = world_state,
	.core = world_core,
	.store = world_store,
	.door_stats = world_door_stats,
	.metrics = world_metrics,
	.coordinator = { (const uint8_t *)"10.0.0.1:8091", 13 },
};

/* ---- tc/core/core.h ---- */

size_t core_list(const struct core *c, const struct gtx_filter *filter,
		 uint64_t now_ms, bool (*each)(void *ctx, struct gtx_view),
		 void *ctx)
{
	size_t given = 0;

	(void)c;
	REQUIRE(now_ms == world.now_ms);
	world.filter = *filter;
	for (size_t i = 0; i < world.n_gtx && given < filter->limit; i++) {
		if (world.gtx[i].number <= filter->after ||
		    (filter->kinds &&
		     !(filter->kinds & 1u << world.gtx[i].kind)) ||
		    (filter->hung &&
		     !gtx_status_hung((int)world.gtx[i].status)))
			continue;
		given++;
		if (!each(ctx, world.gtx[i]))
			break;
	}
	return given;
}

int core_show(const struct core *c, uint64_t number, uint64_t now_ms,
	      struct gtx_view *view,
	      void (*branch)(void *ctx, struct branch_view), void *ctx)
{
	(void)c;
	(void)now_ms;
	for (size_t i = 0; i < world.n_gtx; i++) {
		if (world.gtx[i].number != number)
			continue;
		for (size_t b = 0; b < world.n_branches; b++)
			branch(ctx, world.branches[b]);
		*view = world.gtx[i];
		return OK;
	}
	return E_NOTFOUND;
}

int core_outcome(const struct core *c, uint64_t number, enum gtx_status *status)
{
	(void)c;
	if (number != world.tombstone)
		return E_NOTFOUND;
	*status = GTX_COMMITTED;
	return OK;
}

/* Numbers of another life begin with a nine and have many digits. */
bool core_gave(const struct core *c, uint64_t number)
{
	(void)c;
	return number < UINT64_C(9000000000000000000);
}

void core_machines(const struct core *c,
		   bool (*each)(void *ctx, struct machine_view), void *ctx)
{
	(void)c;
	for (size_t i = 0; i < world.n_machines; i++)
		if (!each(ctx, world.machines[i]))
			break;
}

void core_topics(const struct core *c,
		 bool (*each)(void *ctx, struct topic_view), void *ctx)
{
	(void)c;
	for (size_t i = 0; i < world.n_topics; i++)
		if (!each(ctx, world.topics[i]))
			break;
}

const uint64_t census_ages_s[CENSUS_AGES] = {
	1, 10, 60, 300, 900, 3600, 86400
};

/* As if three were hung, two of them older than ten seconds. */
void core_census(const struct core *c, uint64_t wall_ms,
		 struct core_census *out)
{
	(void)c;
	(void)wall_ms;
	*out = (struct core_census){ .oldest_ms = 61000 };
	out->gtx[KIND_PLAIN][GTX_COMMIT_FAILED] = 1;
	out->gtx[KIND_MESSAGE][GTX_COMMIT_FAILED] = 2;
	out->gtx[KIND_PLAIN][GTX_BEGIN] = 4;
	out->older[1] = 5;
	out->hung_older[1] = 2;
}

struct core_stats core_stats(const struct core *c)
{
	(void)c;
	return (struct core_stats){
		.begun = 7, .hung = 1, .gtx_now = 3, .dead_letters_now = 2
	};
}

/* ---- tc/store/store.h ---- */

int store_archived(struct store *s, uint64_t before, size_t limit,
		   bool (*each)(void *ctx, const struct archive *), void *ctx)
{
	(void)s;
	for (size_t i = 0; i < world.n_archived && limit > 0; i++) {
		if (before && world.archived[i].gtx >= before)
			continue;
		limit--;
		if (!each(ctx, &world.archived[i]))
			break;
	}
	return world.store_error;
}

int store_archived_one(struct store *s, uint64_t number,
		       void (*each)(void *ctx, const struct archive *),
		       void *ctx)
{
	(void)s;
	for (size_t i = 0; i < world.n_archived; i++) {
		if (world.archived[i].gtx != number)
			continue;
		each(ctx, &world.archived[i]);
		return OK;
	}
	return E_NOTFOUND;
}

int store_history(struct store *s, uint64_t number,
		  void (*each)(void *ctx, const struct history *), void *ctx)
{
	(void)s;
	for (size_t i = 0; i < world.n_lines; i++)
		if (world.lines[i].gtx == number)
			each(ctx, &world.lines[i]);
	return world.store_error;
}

struct store_stats store_stats(const struct store *s)
{
	(void)s;
	return (struct store_stats){ .batches = 5, .syncs = 4 };
}

const char *store_error(const struct store *s)
{
	(void)s;
	return "the disk is on fire";
}

#endif
