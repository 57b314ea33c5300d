#include "tc/core/machines.h"

#include "base/hash.h"
#include "base/url.h"

/*
 * Invariants, checked by machines_check():
 *   I1  by_name and put have exactly those that were put, n_put of them; put
 *       is in order
 *   I2  n_users counts the machines that have it among their subs
 *   I3  one name and version is there once
 */

int machines_init(struct machines *ms, const struct mem *mem, uint64_t seed)
{
	*ms = (struct machines){ .mem = mem, .seed = seed };
	roll_init(&ms->by_id, mem);
	list_init(&ms->put);
	return map_init(&ms->by_name, mem);
}

void machines_fini(struct machines *ms)
{
	if (!ms->mem)
		return;
	/* By index: loading may have stopped before the roll was sorted. */
	for (size_t i = 0; i < ms->by_id.n; i++)
		if (ms->by_id.entries[i].item)
			machine_free(ms, ms->by_id.entries[i].item);
	roll_fini(&ms->by_id);
	map_fini(&ms->by_name);
}

/* ---- finding ---- */

struct machine *machines_by_id(const struct machines *ms, uint64_t id)
{
	return roll_find(&ms->by_id, id);
}

struct machine *machines_newest(const struct machines *ms, struct bytes name)
{
	struct map_node *n = map_find(&ms->by_name, hash_bytes(ms->seed, name));
	struct machine *newest = NULL;

	for (; n; n = map_find_next(n)) {
		struct machine *m = CONTAINER_OF(n, struct machine, by_name);

		if (bytes_equal(saga_def_name(m->def), name) &&
		    (!newest || m->id > newest->id))
			newest = m;
	}
	return newest;
}

struct machine *machines_version(const struct machines *ms, struct bytes name,
				 struct bytes version)
{
	struct map_node *n = map_find(&ms->by_name, hash_bytes(ms->seed, name));

	for (; n; n = map_find_next(n)) {
		struct machine *m = CONTAINER_OF(n, struct machine, by_name);

		if (bytes_equal(saga_def_name(m->def), name) &&
		    bytes_equal(saga_def_version(m->def), version))
			return m;
	}
	return NULL;
}

/* ---- making ---- */

struct binding { /* what a definition asks for while it is read */
	struct machines *ms;
	struct machine *m;
	bool no_memory;
};

static bool keep_sub(struct binding *b, struct machine *sub)
{
	struct machine *m = b->m;
	struct machine **more;

	for (size_t i = 0; i < m->n_subs; i++)
		if (m->subs[i] == sub)
			return true;
	more = mem_array(b->ms->mem, m->n_subs + 1, sizeof(void *));
	if (!more)
		return false;
	if (m->n_subs > 0)
		memcpy(more, m->subs, m->n_subs * sizeof(void *));
	mem_free(b->ms->mem, m->subs);
	m->subs = more;
	m->subs[m->n_subs++] = sub;
	return true;
}

static const struct saga_def *find_sub(void *ctx, struct bytes name)
{
	struct binding *b = ctx;
	struct machine *sub = machines_newest(b->ms, name);

	if (!sub || b->no_memory)
		return NULL;
	b->no_memory = !keep_sub(b, sub);
	return b->no_memory ? NULL : sub->def;
}

/* The URL that is called: the method stands in front of the query. */
static void put_url(struct buf *out, struct bytes service, struct bytes method)
{
	const uint8_t *query = memchr(service.data, '?', service.len);
	size_t n = query ? (size_t)(query - service.data) : service.len;

	buf_put(out, (struct bytes){ service.data, n });
	if (method.len > 0) {
		buf_put_char(out, '/');
		buf_put(out, method);
	}
	buf_put(out, (struct bytes){ service.data + n, service.len - n });
}

/* What looks like a URL must be one, also with the method in it. */
static bool check_service(void *ctx, struct bytes state, struct bytes service,
			  struct bytes method)
{
	const char *reason = "it is no URL";
	struct buf *why = ctx, whole;
	struct url url;
	int rc = E_NOMEM;

	if (!url_is_http(service))
		return true;
	buf_init(&whole, why->mem);
	put_url(&whole, service, method);
	if (buf_error(&whole) == OK)
		rc = url_parse(&url, service, &reason);
	if (rc == OK)
		rc = url_parse(&url, buf_bytes(&whole), &reason);
	if (rc == E_INVALID)
		buf_printf(why, "%.*s: %.*s: %s", (int)state.len,
			   (const char *)state.data, (int)whole.len,
			   (const char *)whole.data, reason);
	if (rc == E_NOMEM)
		why->error = E_NOMEM;
	buf_fini(&whole);
	return rc == OK;
}

static int define(struct machines *ms, struct machine *m, struct buf *why)
{
	struct binding b = { .ms = ms, .m = m };
	struct saga_lookup lookup = { find_sub, &b };
	int rc = saga_def_new(&m->def, ms->mem, m->document, &lookup, why);

	if (b.no_memory)
		return E_NOMEM;
	if (rc == OK && !saga_def_services(m->def, check_service, why))
		rc = buf_error(why) == E_NOMEM ? E_NOMEM : E_INVALID;
	return rc;
}

/* With its document, and room for it on the roll. */
static int allocate(struct machine **out, struct machines *ms, uint64_t id,
		    uint64_t owner, struct bytes document)
{
	struct machine *m;
	const char *text;

	if (roll_reserve(&ms->by_id) != OK)
		return E_NOMEM;
	m = mem_alloc(ms->mem, sizeof *m);
	text = mem_text(ms->mem, document);
	if (!m || !text) {
		mem_free(ms->mem, m);
		mem_free(ms->mem, (void *)(uintptr_t)text);
		return E_NOMEM;
	}
	m->id = id;
	m->owner = owner;
	m->document = (struct bytes){ (const uint8_t *)text, document.len };
	list_init(&m->dead);
	list_init(&m->put);
	*out = m;
	return OK;
}

int machine_new(struct machine **out, struct machines *ms, uint64_t id,
		uint64_t owner, struct bytes document, struct buf *why)
{
	struct machine *m;
	int rc = allocate(&m, ms, id, owner, document);

	if (rc != OK)
		return rc;
	rc = define(ms, m, why);
	if (rc == OK)
		*out = m;
	else
		machine_free(ms, m);
	return rc;
}

void machine_free(struct machines *ms, struct machine *m)
{
	saga_def_free(m->def);
	mem_free(ms->mem, m->subs);
	mem_free(ms->mem, (void *)(uintptr_t)m->document.data);
	mem_free(ms->mem, m);
}

/* ---- coming and going ---- */

static bool is_before(const struct machine *a, const struct machine *b)
{
	int by_name =
		bytes_compare(saga_def_name(a->def), saga_def_name(b->def));

	return by_name ? by_name < 0 : a->id < b->id;
}

static void list_sorted(struct machines *ms, struct machine *m)
{
	struct list *next = ms->put.next;

	while (next != &ms->put &&
	       is_before(CONTAINER_OF(next, struct machine, put), m))
		next = next->next;
	list_append(next, &m->put); /* in front of it */
}

static void link_up(struct machines *ms, struct machine *m)
{
	for (size_t i = 0; i < m->n_subs; i++)
		m->subs[i]->n_users++;
	if (m->owner)
		return;
	map_insert(&ms->by_name, &m->by_name,
		   hash_bytes(ms->seed, saga_def_name(m->def)));
	list_sorted(ms, m);
	ms->n_put++;
}

void machines_add(struct machines *ms, struct machine *m)
{
	roll_add(&ms->by_id, m->id, m);
	link_up(ms, m);
}

void machines_remove(struct machines *ms, struct machine *m)
{
	REQUIRE(m->n_runs == 0 && m->n_users == 0);
	roll_remove(&ms->by_id, m->id);
	for (size_t i = 0; i < m->n_subs; i++) {
		REQUIRE(m->subs[i]->n_users > 0);
		m->subs[i]->n_users--;
	}
	if (m->owner)
		return;
	map_remove(&ms->by_name, &m->by_name);
	list_remove(&m->put);
	ms->n_put--;
}

/* ---- loading ---- */

int machines_load(struct machines *ms, uint64_t id, uint64_t owner,
		  struct bytes document, uint64_t added_wall_ms)
{
	struct machine *m;
	int rc = allocate(&m, ms, id, owner, document);

	if (rc != OK)
		return rc;
	m->added_wall_ms = added_wall_ms;
	roll_append(&ms->by_id, id, m);
	return OK;
}

static int build(struct machines *ms, struct machine *m)
{
	struct buf why;
	int rc;

	buf_init(&why, ms->mem);
	rc = define(ms, m, &why);
	buf_fini(&why);
	if (rc == OK && !m->owner &&
	    machines_version(ms, saga_def_name(m->def),
			     saga_def_version(m->def)))
		rc = E_INVALID;
	if (rc == OK) {
		link_up(ms, m);
		return OK;
	}
	saga_def_free(m->def);
	m->def = NULL;
	mem_free(ms->mem, m->subs);
	m->subs = NULL;
	m->n_subs = 0;
	return rc == E_NOMEM ? E_NOMEM : E_CORRUPT;
}

int machines_build(struct machines *ms)
{
	if (!roll_sort(&ms->by_id))
		return E_CORRUPT;
	for (struct machine *m = roll_after(&ms->by_id, 0); m;
	     m = roll_after(&ms->by_id, m->id)) {
		int rc = m->def ? OK : build(ms, m);

		if (rc != OK)
			return rc;
	}
	return OK;
}

/* ---- invariants ---- */

static size_t count_users(const struct machines *ms, const struct machine *sub)
{
	size_t n = 0;

	for (struct machine *m = roll_after(&ms->by_id, 0); m;
	     m = roll_after(&ms->by_id, m->id))
		for (size_t i = 0; i < m->n_subs; i++)
			n += m->subs[i] == sub;
	return n;
}

void machines_check(const struct machines *ms)
{
	const struct machine *last = NULL;
	size_t put = 0, listed = 0;

	LIST_EACH(node, &ms->put) {
		struct machine *m = CONTAINER_OF(node, struct machine, put);

		REQUIRE(!last || is_before(last, m)); /* I1 */
		last = m;
		listed++;
	}
	for (struct machine *m = roll_after(&ms->by_id, 0); m;
	     m = roll_after(&ms->by_id, m->id)) {
		REQUIRE(m->def);
		put += m->owner == 0;
		REQUIRE(m->n_users == count_users(ms, m)); /* I2 */
		if (!m->owner)
			REQUIRE(machines_version(ms, saga_def_name(m->def),
						 saga_def_version(m->def)) ==
				m); /* I3 */
	}
	REQUIRE(put == ms->n_put && put == ms->by_name.count); /* I1 */
	REQUIRE(put == listed);
}
