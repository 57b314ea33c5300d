#include "tc/core/model.h"

/*
 * How many there are of what, for people who watch.
 */

#define AHEAD 8 /* entries; each is somewhere else in memory */

const uint64_t census_ages_s[CENSUS_AGES] = {
	1, 10, 60, 300, 900, 3600, 86400
};

static uint64_t since(uint64_t wall_ms, uint64_t then_ms)
{
	return wall_ms > then_ms ? wall_ms - then_ms : 0;
}

static void keep_max(uint64_t *max, uint64_t value)
{
	if (value > *max)
		*max = value;
}

static void count_ages(size_t older[CENSUS_AGES], uint64_t age_ms)
{
	for (size_t i = 0; i < CENSUS_AGES; i++)
		older[i] += age_ms / 1000 >= census_ages_s[i];
}

static void count_gtx(const struct gtx *g, uint64_t wall_ms,
		      struct core_census *out)
{
	uint64_t age_ms = since(wall_ms, g->began_wall_ms);

	out->gtx[g->kind][g->status]++;
	count_ages(out->older, age_ms);
	keep_max(&out->oldest_ms, age_ms);
	if (gtx_status_hung((int)g->status)) {
		count_ages(out->hung_older, age_ms);
		keep_max(&out->oldest_hung_ms, age_ms);
	}
	if (g->decided_wall_ms != 0)
		keep_max(&out->oldest_decided_ms,
			 since(wall_ms, g->decided_wall_ms));
}

static void count_gtxs(const struct roll *r, uint64_t wall_ms,
		       struct core_census *out)
{
	for (size_t i = 0; i < r->n; i++) {
		if (i + AHEAD < r->n)
			__builtin_prefetch(r->entries[i + AHEAD].item);
		if (r->entries[i].item)
			count_gtx(r->entries[i].item, wall_ms, out);
	}
}

static void count_peers(const struct peers *ps, struct core_census *out)
{
	for (struct map_node *n = map_next(&ps->by_id, NULL); n;
	     n = map_next(&ps->by_id, n)) {
		const struct peer *p = CONTAINER_OF(n, struct peer, by_id);

		if (peer_is_url(p->id)) {
			out->origins++;
			out->origins_suspect += p->suspect;
		} else {
			out->agents++;
			out->agents_suspect += p->suspect;
		}
	}
}

static bool is_unserved(const struct resource *r)
{
	LIST_EACH(node, &r->lanes) {
		const struct lane *lane =
			CONTAINER_OF(node, struct lane, of_resource);

		if (!list_empty(&lane->waiting) && !lane_served(lane))
			return true;
	}
	return false;
}

static void count_resources(const struct peers *ps, struct core_census *out)
{
	for (struct map_node *n = map_next(&ps->resources, NULL); n;
	     n = map_next(&ps->resources, n))
		out->resources_unserved +=
			is_unserved(CONTAINER_OF(n, struct resource, by_name));
}

void core_census(const struct core *c, uint64_t wall_ms,
		 struct core_census *out)
{
	*out = (struct core_census){
		.blocked = c->n_jobs[PLACE_BLOCKED],
		.queued = c->n_jobs[PLACE_QUEUED],
		.in_flight = c->n_jobs[PLACE_FLIGHT],
		.due = c->n_jobs[PLACE_DUE],
		.held = c->n_jobs[PLACE_HELD],
		.hung = c->n_jobs[PLACE_HUNG],
	};
	count_gtxs(&c->roll, wall_ms, out);
	count_peers(&c->peers, out);
	count_resources(&c->peers, out);
}
