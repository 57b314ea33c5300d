#include "tc/core/peers.h"

#include "base/hash.h"
#include "base/url.h"

/*
 * Invariants, checked by peers_check():
 *   I1  n_in_flight is the length of flight
 *   I2  a lane with something waiting has no peer with a free place that may
 *       take it, unless that peer is ready (peers_next() will come to it)
 *   I3  n_own counts the links of the lane's resource to its application
 *   I4  an origin has a peer of its own, and no other link, exactly while it
 *       has lanes; n_agents counts the peers that were not made up
 */

struct peer_link {
	struct list of_peer;
	struct list of_resource;
	struct peer *peer;
	struct resource *resource;
};

#define LINK_OF_PEER(node)     CONTAINER_OF(node, struct peer_link, of_peer)
#define LINK_OF_RESOURCE(node) CONTAINER_OF(node, struct peer_link, of_resource)
#define LANE_OF(node)          CONTAINER_OF(node, struct lane, of_resource)

int peers_init(struct peers *ps, const struct mem *mem, uint64_t seed)
{
	*ps = (struct peers){ .mem = mem, .seed = seed };
	list_init(&ps->ready);
	if (map_init(&ps->by_id, mem) == OK &&
	    map_init(&ps->by_instance, mem) == OK &&
	    map_init(&ps->resources, mem) == OK)
		return OK;
	peers_fini(ps);
	return E_NOMEM;
}

void peers_fini(struct peers *ps)
{
	struct map_node *n;

	if (!ps->mem)
		return;
	while ((n = map_next(&ps->by_id, NULL)))
		peers_gone(ps, CONTAINER_OF(n, struct peer, by_id));
	REQUIRE(ps->resources.count == 0);
	map_fini(&ps->by_id);
	map_fini(&ps->by_instance);
	map_fini(&ps->resources);
}

/* ---- resources and lanes ---- */

static struct bytes dup_bytes(const struct mem *mem, struct bytes b)
{
	const char *text = mem_text(mem, b);

	return (struct bytes){ (const uint8_t *)text, text ? b.len : 0 };
}

static void free_bytes(const struct mem *mem, struct bytes b)
{
	mem_free(mem, (void *)(uintptr_t)b.data);
}

static struct resource *resource_get(struct peers *ps, struct bytes name)
{
	uint64_t hash = hash_bytes(ps->seed, name);
	struct map_node *n = map_find(&ps->resources, hash);
	struct resource *r;

	for (; n; n = map_find_next(n)) {
		r = CONTAINER_OF(n, struct resource, by_name);
		if (bytes_equal(r->name, name)) {
			r->refs++;
			return r;
		}
	}
	r = mem_alloc(ps->mem, sizeof *r);
	if (!r)
		return NULL;
	r->name = dup_bytes(ps->mem, name);
	if (!r->name.data) {
		mem_free(ps->mem, r);
		return NULL;
	}
	r->refs = 1;
	list_init(&r->links);
	list_init(&r->lanes);
	map_insert(&ps->resources, &r->by_name, hash);
	return r;
}

static void resource_put(struct peers *ps, struct resource *r)
{
	REQUIRE(r->refs > 0);
	if (--r->refs > 0)
		return;
	REQUIRE(list_empty(&r->links) && list_empty(&r->lanes));
	map_remove(&ps->resources, &r->by_name);
	free_bytes(ps->mem, r->name);
	mem_free(ps->mem, r);
}

static size_t count_own(const struct lane *lane)
{
	size_t n = 0;

	LIST_EACH(node, &lane->resource->links)
		n += bytes_equal(LINK_OF_RESOURCE(node)->peer->application,
				 lane->application);
	return n;
}

static struct lane *lane_new(struct peers *ps, struct resource *r,
			     struct bytes application, bool at)
{
	struct lane *lane = mem_alloc(ps->mem, sizeof *lane);

	if (!lane)
		return NULL;
	lane->application = dup_bytes(ps->mem, application);
	if (!lane->application.data) {
		mem_free(ps->mem, lane);
		return NULL;
	}
	lane->resource = r;
	lane->at = at;
	lane->n_own = count_own(lane);
	list_init(&lane->of_resource);
	list_init(&lane->waiting);
	list_append(&r->lanes, &lane->of_resource);
	return lane;
}

/* A peer for an origin that has none. OK or E_NOMEM. */
static int call_origin(struct peers *ps, struct resource *r);

/* Without lanes nobody is called. The caller holds the resource. */
static void forget_origin(struct peers *ps, struct resource *r)
{
	if (r->called && list_empty(&r->lanes)) {
		peers_gone(ps, r->called);
		r->called = NULL;
	}
}

int lane_get(struct lane **out, struct peers *ps, struct bytes resource,
	     struct bytes application, bool at)
{
	struct resource *r = resource_get(ps, resource);
	struct lane *lane;

	if (!r)
		return E_NOMEM;
	LIST_EACH(node, &r->lanes) {
		lane = LANE_OF(node);
		if (lane->at == at &&
		    bytes_equal(lane->application, application)) {
			resource_put(ps, r); /* the lane holds it already */
			lane->refs++;
			*out = lane;
			return OK;
		}
	}
	lane = call_origin(ps, r) == OK ? lane_new(ps, r, application, at)
					: NULL;
	if (!lane) {
		forget_origin(ps, r);
		resource_put(ps, r);
		return E_NOMEM;
	}
	lane->refs = 1;
	*out = lane;
	return OK;
}

void lane_put(struct peers *ps, struct lane *lane)
{
	if (!lane)
		return;
	REQUIRE(lane->refs > 0);
	if (--lane->refs > 0)
		return;
	REQUIRE(list_empty(&lane->waiting));
	list_remove(&lane->of_resource);
	forget_origin(ps, lane->resource);
	resource_put(ps, lane->resource);
	free_bytes(ps->mem, lane->application);
	mem_free(ps->mem, lane);
}

/* ---- who may take what ---- */

static bool serves(const struct peer *p, const struct lane *lane)
{
	if (peer_is_url(p->id) ||
	    bytes_equal(p->application, lane->application))
		return true;
	return lane->at && (lane->n_own == 0 || lane->application.len == 0);
}

bool lane_served(const struct lane *lane)
{
	LIST_EACH(node, &lane->resource->links)
		if (serves(LINK_OF_RESOURCE(node)->peer, lane))
			return true;
	return false;
}

static bool has_place(const struct peers *ps, const struct peer *p)
{
	return p->n_in_flight < (p->suspect ? 1 : ps->in_flight_max);
}

static void make_ready(struct peers *ps, struct peer *p)
{
	if (list_empty(&p->ready))
		list_append(&ps->ready, &p->ready);
}

/* Who can take something from this lane now and is suspect, or is not. NULL if
 * there is none. */
static struct list *find_place(const struct peers *ps, const struct lane *lane,
			       bool suspect)
{
	LIST_EACH(node, &lane->resource->links) {
		const struct peer *p = LINK_OF_RESOURCE(node)->peer;

		if (p->suspect == suspect && serves(p, lane) &&
		    has_place(ps, p))
			return node;
	}
	return NULL;
}

/* Something waits in this lane: make a peer ready that can take it, another
 * one each time, and a suspect one only if nobody else can. */
static void wake(struct peers *ps, struct lane *lane)
{
	struct list *node = find_place(ps, lane, false);

	if (!node)
		node = find_place(ps, lane, true);
	if (!node)
		return;
	make_ready(ps, LINK_OF_RESOURCE(node)->peer);
	list_remove(node);
	list_append(&lane->resource->links, node);
}

static void wake_lanes_of(struct peers *ps, struct resource *r)
{
	LIST_EACH(node, &r->lanes)
		if (!list_empty(&LANE_OF(node)->waiting))
			wake(ps, LANE_OF(node));
}

static bool has_resource(const struct peer *p, const struct resource *r)
{
	LIST_EACH(node, &p->links)
		if (LINK_OF_PEER(node)->resource == r)
			return true;
	return false;
}

void peer_resources(const struct peer *p,
		    bool (*each)(void *ctx, struct bytes name), void *ctx)
{
	LIST_EACH(node, &p->links)
		if (!each(ctx, LINK_OF_PEER(node)->resource->name))
			return;
}

/* The newest healthy connection of the instance that can do it. */
static struct peer *find_instance(const struct peers *ps,
				  const struct lane *lane,
				  struct bytes instance)
{
	struct map_node *n;

	if (instance.len == 0)
		return NULL;
	n = map_find(&ps->by_instance, hash_bytes(ps->seed, instance));
	for (; n; n = map_find_next(n)) {
		struct peer *p = CONTAINER_OF(n, struct peer, by_instance);

		if (!p->suspect && bytes_equal(p->instance, instance) &&
		    bytes_equal(p->application, lane->application) &&
		    has_resource(p, lane->resource))
			return p;
	}
	return NULL;
}

void peers_queue(struct peers *ps, struct lane *lane, struct bytes instance,
		 struct list *node)
{
	struct peer *own = find_instance(ps, lane, instance);
	bool first = list_empty(&lane->waiting);

	if (own) {
		list_append(&own->queue, node);
		make_ready(ps, own);
		return;
	}
	list_append(&lane->waiting, node);
	if (first) /* else somebody is awake already, or all are full (I2) */
		wake(ps, lane);
}

/* May it take from this lane? */
static bool may_take(const struct peers *ps, const struct peer *p,
		     const struct lane *lane)
{
	return serves(p, lane) && !(p->suspect && find_place(ps, lane, false));
}

static struct list *next_of(const struct peers *ps, struct peer *p)
{
	if (!list_empty(&p->queue))
		return list_first(&p->queue);
	LIST_EACH(node, &p->links) {
		LIST_EACH(l, &LINK_OF_PEER(node)->resource->lanes) {
			struct lane *lane = LANE_OF(l);

			if (list_empty(&lane->waiting) ||
			    !may_take(ps, p, lane))
				continue;
			/* The next time another resource comes first. */
			list_remove(node);
			list_append(&p->links, node);
			list_remove(&lane->of_resource);
			list_append(&lane->resource->lanes, &lane->of_resource);
			return list_first(&lane->waiting);
		}
	}
	return NULL;
}

struct list *peers_next(struct peers *ps, struct peer **to)
{
	while (!list_empty(&ps->ready)) {
		struct peer *p = CONTAINER_OF(list_first(&ps->ready),
					      struct peer, ready);
		bool place = has_place(ps, p);
		struct list *node = place ? next_of(ps, p) : NULL;

		if (node) {
			*to = p;
			return node;
		}
		list_remove(&p->ready);
		if (place && !p->suspect)
			continue;
		/* Full, or not to be bothered: what still waits in its lanes
		 * may go to others. These do take it, so this ends. */
		LIST_EACH(link, &p->links)
			wake_lanes_of(ps, LINK_OF_PEER(link)->resource);
	}
	return NULL;
}

void peers_sent(struct peer *p, struct list *node)
{
	list_remove(node);
	list_append(&p->flight, node);
	p->n_in_flight++;
}

void peers_back(struct peers *ps, struct peer *p, struct list *node)
{
	REQUIRE(p->n_in_flight > 0);
	list_remove(node);
	p->n_in_flight--;
	make_ready(ps, p);
}

void peers_suspect(struct peer *p)
{
	p->suspect = true;
}

void peers_trust(struct peers *ps, struct peer *p)
{
	if (!p->suspect)
		return;
	p->suspect = false;
	make_ready(ps, p);
}

/* A higher limit makes room for what waits. */
void peers_limit(struct peers *ps, size_t peers_max, size_t in_flight_max)
{
	ps->peers_max = peers_max;
	ps->in_flight_max = in_flight_max;
	for (struct map_node *n = map_next(&ps->by_id, NULL); n;
	     n = map_next(&ps->by_id, n))
		make_ready(ps, CONTAINER_OF(n, struct peer, by_id));
}

/* ---- coming and going ---- */

struct peer *peers_find(const struct peers *ps, uint64_t id)
{
	struct map_node *n = map_find(&ps->by_id, hash_u64(ps->seed, id));

	for (; n; n = map_find_next(n)) {
		struct peer *p = CONTAINER_OF(n, struct peer, by_id);

		if (p->id == id)
			return p;
	}
	return NULL;
}

static void adjust_own(struct resource *r, struct bytes application, bool add)
{
	LIST_EACH(node, &r->lanes) {
		struct lane *lane = LANE_OF(node);

		if (!bytes_equal(lane->application, application))
			continue;
		REQUIRE(add || lane->n_own > 0);
		lane->n_own += add ? 1 : (size_t)-1;
	}
}

static void unlink_all(struct peers *ps, struct peer *p)
{
	LIST_EACH(node, &p->links) {
		struct peer_link *link = LINK_OF_PEER(node);
		struct resource *r = link->resource;

		list_remove(&link->of_peer);
		list_remove(&link->of_resource);
		adjust_own(r, p->application, false);
		wake_lanes_of(ps, r); /* others may have come to serve it */
		mem_free(ps->mem, link);
		resource_put(ps, r);
	}
}

static struct peer_link *link_new(struct peers *ps, struct bytes name)
{
	struct peer_link *link = mem_alloc(ps->mem, sizeof *link);

	if (link)
		link->resource = resource_get(ps, name);
	if (!link || !link->resource) {
		mem_free(ps->mem, link);
		return NULL;
	}
	list_init(&link->of_peer);
	list_init(&link->of_resource);
	return link;
}

/* Links that are not part of anything yet, on a list by .of_peer. */
static void discard_links(struct peers *ps, struct list *links)
{
	LIST_EACH(node, links) {
		struct peer_link *link = LINK_OF_PEER(node);

		list_remove(node);
		resource_put(ps, link->resource);
		mem_free(ps->mem, link);
	}
}

static int stage_links(struct peers *ps, const struct peer_up *up,
		       struct list *links)
{
	for (size_t i = 0; i < up->n_resources; i++) {
		struct peer_link *link;

		if (url_is_http(up->resources[i]))
			continue; /* nobody may take an origin's calls */
		link = link_new(ps, up->resources[i]);
		if (!link) {
			discard_links(ps, links);
			return E_NOMEM;
		}
		list_append(links, &link->of_peer);
	}
	return OK;
}

static void link_all(struct peers *ps, struct peer *p, struct list *links)
{
	LIST_EACH(node, links) {
		struct peer_link *link = LINK_OF_PEER(node);
		struct resource *r = link->resource;

		list_remove(node);
		if (has_resource(p, r)) { /* named twice */
			resource_put(ps, r);
			mem_free(ps->mem, link);
			continue;
		}
		link->peer = p;
		list_append(&p->links, &link->of_peer);
		list_append(&r->links, &link->of_resource);
		adjust_own(r, p->application, true);
	}
	make_ready(ps, p);
}

static void peer_free(struct peers *ps, struct peer *p)
{
	free_bytes(ps->mem, p->application);
	free_bytes(ps->mem, p->instance);
	mem_free(ps->mem, p);
}

static struct peer *peer_new(struct peers *ps, const struct peer_up *up)
{
	struct peer *p = mem_alloc(ps->mem, sizeof *p);

	if (!p)
		return NULL;
	p->id = up->peer;
	p->application = dup_bytes(ps->mem, up->application);
	p->instance = dup_bytes(ps->mem, up->instance);
	if (!p->application.data || !p->instance.data) {
		peer_free(ps, p);
		return NULL;
	}
	list_init(&p->links);
	list_init(&p->queue);
	list_init(&p->flight);
	list_init(&p->ready);
	list_init(&p->waiters);
	return p;
}

static void insert(struct peers *ps, struct peer *p)
{
	map_insert(&ps->by_id, &p->by_id, hash_u64(ps->seed, p->id));
	if (peer_is_url(p->id))
		return;
	map_insert(&ps->by_instance, &p->by_instance,
		   hash_bytes(ps->seed, p->instance));
	ps->n_agents++;
}

static int call_origin(struct peers *ps, struct resource *r)
{
	struct peer_up up = { .peer = PEER_URL | (ps->last_called + 1) };
	struct peer_link *link;
	struct list links;

	if (r->called || !url_is_http(r->name))
		return OK;
	link = link_new(ps, r->name);
	if (!link)
		return E_NOMEM;
	list_init(&links);
	list_append(&links, &link->of_peer);
	r->called = peer_new(ps, &up);
	if (!r->called) {
		discard_links(ps, &links);
		return E_NOMEM;
	}
	ps->last_called++;
	insert(ps, r->called);
	link_all(ps, r->called, &links);
	return OK;
}

int peers_up(struct peers *ps, const struct peer_up *up, struct peer **out)
{
	struct peer *p = peers_find(ps, up->peer);
	struct list links;

	REQUIRE(!peer_is_url(up->peer));
	if (!p && ps->n_agents >= ps->peers_max)
		return E_LIMIT;
	list_init(&links);
	if (stage_links(ps, up, &links) != OK)
		return E_NOMEM;
	if (p) {
		unlink_all(ps, p);
		p->suspect = false;
	} else {
		p = peer_new(ps, up);
		if (!p) {
			discard_links(ps, &links);
			return E_NOMEM;
		}
		insert(ps, p);
	}
	link_all(ps, p, &links);
	*out = p;
	return OK;
}

void peers_gone(struct peers *ps, struct peer *p)
{
	REQUIRE(list_empty(&p->queue) && list_empty(&p->flight) &&
		list_empty(&p->waiters));
	unlink_all(ps, p);
	list_remove(&p->ready);
	map_remove(&ps->by_id, &p->by_id);
	if (!peer_is_url(p->id)) {
		map_remove(&ps->by_instance, &p->by_instance);
		ps->n_agents--;
	}
	peer_free(ps, p);
}

/* ---- invariants ---- */

static void check_origin(const struct resource *r)
{
	REQUIRE((r->called != NULL) ==
		(url_is_http(r->name) && !list_empty(&r->lanes))); /* I4 */
	LIST_EACH(node, &r->links)
		REQUIRE(!url_is_http(r->name) ||
			LINK_OF_RESOURCE(node)->peer == r->called);
}

static void check_lane(const struct peers *ps, const struct lane *lane)
{
	REQUIRE(lane->n_own == count_own(lane)); /* I3 */
	if (list_empty(&lane->waiting))
		return;
	LIST_EACH(node, &lane->resource->links) {
		struct peer *p = LINK_OF_RESOURCE(node)->peer;

		REQUIRE(!serves(p, lane) || !has_place(ps, p) ||
			!list_empty(&ps->ready)); /* I2 */
	}
}

void peers_check(const struct peers *ps)
{
	size_t agents = 0;

	for (struct map_node *n = map_next(&ps->by_id, NULL); n;
	     n = map_next(&ps->by_id, n)) {
		struct peer *p = CONTAINER_OF(n, struct peer, by_id);
		size_t in_flight = 0;

		LIST_EACH(node, &p->flight)
			in_flight++;
		REQUIRE(in_flight == p->n_in_flight); /* I1 */
		REQUIRE(peers_find(ps, p->id) == p);
		agents += !peer_is_url(p->id);
	}
	REQUIRE(agents == ps->n_agents); /* I4 */
	for (struct map_node *n = map_next(&ps->resources, NULL); n;
	     n = map_next(&ps->resources, n)) {
		struct resource *r = CONTAINER_OF(n, struct resource, by_name);

		LIST_EACH(node, &r->lanes)
			check_lane(ps, LANE_OF(node));
		check_origin(r);
	}
}
