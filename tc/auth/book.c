#include "tc/auth/book.h"

#include "base/hash.h"
#include "base/list.h"
#include "base/map.h"

/*
 *   I1  an entry is on by_name and on its kind's list, which is sorted by id
 *   I2  no two entries of a kind have the same id, or the same name
 *   I3  no application has more than APP_KEYS_PER_APP_MAX keys
 *   I4  once there was an admin who is not disabled, there is one
 */

struct entry {
	struct book_entry view; /* borrows from body */
	struct map_node by_name;
	struct list on;
	size_t len;
	uint8_t body[];
};

struct book {
	const struct mem *mem;
	size_t limit;
	uint64_t seed;
	uint64_t next_id;
	struct map by_name;
	struct list kinds[BOOK_KINDS];
	size_t counts[BOOK_KINDS];
};

int book_new(struct book **out, const struct mem *mem, size_t limit,
	     uint64_t seed)
{
	struct book *b = mem_alloc(mem, sizeof *b);

	REQUIRE(limit > 0);
	if (!b)
		return E_NOMEM;
	if (map_init(&b->by_name, mem) != OK) {
		mem_free(mem, b);
		return E_NOMEM;
	}
	b->mem = mem;
	b->limit = limit;
	b->seed = seed;
	b->next_id = 1;
	for (size_t i = 0; i < BOOK_KINDS; i++)
		list_init(&b->kinds[i]);
	*out = b;
	return OK;
}

static struct entry *entry_on(struct list *node)
{
	return CONTAINER_OF(node, struct entry, on);
}

static void entry_free(struct book *b, struct entry *e)
{
	secret_wipe(e->body, e->len);
	secret_wipe(&e->view, sizeof e->view);
	mem_free(b->mem, e);
}

static void unlink_entry(struct book *b, struct entry *e)
{
	map_remove(&b->by_name, &e->by_name);
	list_remove(&e->on);
	b->counts[e->view.kind]--;
}

void book_free(struct book *b)
{
	if (!b)
		return;
	for (size_t i = 0; i < BOOK_KINDS; i++) {
		LIST_EACH(node, &b->kinds[i]) {
			struct entry *e = entry_on(node);

			unlink_entry(b, e);
			entry_free(b, e);
		}
	}
	map_fini(&b->by_name);
	mem_free(b->mem, b);
}

/* ---- names ---- */

/* What may be there once: of a key two parts, of the others one. */
static struct bytes name_of(const struct book_entry *v)
{
	switch (v->kind) {
	case BOOK_USER:
		return v->user.name;
	case BOOK_TOKEN:
		return v->token.hash;
	default:
		return v->key.application;
	}
}

static struct bytes second_name_of(const struct book_entry *v)
{
	return v->kind == BOOK_KEY ? v->key.key_id : (struct bytes){ 0 };
}

static uint64_t hash_name(const struct book *b, enum book_kind kind,
			  struct bytes name, struct bytes second)
{
	uint64_t hash = hash_bytes(b->seed + (uint64_t)kind, name);

	return hash ^ hash_bytes(~b->seed, second);
}

static struct entry *find_name(const struct book *b, enum book_kind kind,
			       struct bytes name, struct bytes second)
{
	uint64_t hash = hash_name(b, kind, name, second);
	struct map_node *n = map_find(&b->by_name, hash);

	for (; n; n = map_find_next(n)) {
		struct entry *e = CONTAINER_OF(n, struct entry, by_name);

		if (e->view.kind == kind &&
		    secret_equal(name_of(&e->view), name) &&
		    bytes_equal(second_name_of(&e->view), second))
			return e;
	}
	return NULL;
}

static struct entry *find_id(const struct book *b, enum book_kind kind,
			     uint64_t id)
{
	for (struct list *n = b->kinds[kind].next; n != &b->kinds[kind];
	     n = n->next)
		if (entry_on(n)->view.id == id)
			return entry_on(n);
	return NULL;
}

/* ---- rules ---- */

static bool is_admin(const struct book_entry *v)
{
	return v->kind == BOOK_USER && v->user.role == ROLE_ADMIN &&
	       !v->user.disabled;
}

static bool another_admin(const struct book *b, const struct entry *but)
{
	for (struct list *n = b->kinds[BOOK_USER].next;
	     n != &b->kinds[BOOK_USER]; n = n->next)
		if (entry_on(n) != but && is_admin(&entry_on(n)->view))
			return true;
	return false;
}

static size_t keys_of(const struct book *b, struct bytes application,
		      const struct entry *but)
{
	size_t count = 0;

	for (struct list *n = b->kinds[BOOK_KEY].next; n != &b->kinds[BOOK_KEY];
	     n = n->next)
		if (entry_on(n) != but &&
		    bytes_equal(entry_on(n)->view.key.application, application))
			count++;
	return count;
}

static int decode(struct book_entry *out, enum book_kind kind, uint64_t id,
		  struct bytes body)
{
	out->kind = kind;
	out->id = id;
	switch (kind) {
	case BOOK_USER:
		return user_record_get(&out->user, body);
	case BOOK_TOKEN:
		return api_token_record_get(&out->token, body);
	default:
		return app_key_record_get(&out->key, body);
	}
}

static int check(const struct book *b, const struct book_entry *v)
{
	const struct entry *old = find_id(b, v->kind, v->id);
	const struct entry *same =
		find_name(b, v->kind, name_of(v), second_name_of(v));

	if (same && same != old)
		return E_CONFLICT;
	if (!old && b->counts[v->kind] >= b->limit)
		return E_LIMIT;
	if (v->kind == BOOK_KEY &&
	    keys_of(b, v->key.application, old) >= APP_KEYS_PER_APP_MAX)
		return E_LIMIT;
	if (old && is_admin(&old->view) && !is_admin(v) &&
	    !another_admin(b, old))
		return E_STATE;
	return OK;
}

int book_check(const struct book *b, enum book_kind kind, uint64_t id,
	       struct bytes body)
{
	struct book_entry view;
	int rc;

	REQUIRE((unsigned)kind < BOOK_KINDS && id > 0 && id < UINT64_MAX);
	rc = decode(&view, kind, id, body);
	if (rc == OK)
		rc = check(b, &view);
	secret_wipe(&view, sizeof view);
	return rc;
}

/* ---- changes ---- */

static struct entry *entry_new(struct book *b, enum book_kind kind, uint64_t id,
			       struct bytes body)
{
	struct entry *e = mem_alloc(b->mem, sizeof *e + body.len);

	if (!e)
		return NULL;
	e->len = body.len;
	memcpy(e->body, body.data, body.len);
	REQUIRE(decode(&e->view, kind, id, (struct bytes){ e->body, e->len }) ==
		OK);
	list_init(&e->on);
	return e;
}

static void link_entry(struct book *b, struct entry *e)
{
	struct list *before = b->kinds[e->view.kind].prev;

	while (before != &b->kinds[e->view.kind] &&
	       entry_on(before)->view.id > e->view.id)
		before = before->prev;
	list_append(before->next, &e->on); /* between the two */
	map_insert(&b->by_name, &e->by_name,
		   hash_name(b, e->view.kind, name_of(&e->view),
			     second_name_of(&e->view)));
	b->counts[e->view.kind]++;
	if (e->view.id >= b->next_id)
		b->next_id = e->view.id + 1;
}

int book_put(struct book *b, enum book_kind kind, uint64_t id,
	     struct bytes body)
{
	struct entry *e, *old;
	int rc = book_check(b, kind, id, body);

	if (rc != OK)
		return rc;
	e = entry_new(b, kind, id, body);
	if (!e)
		return E_NOMEM;
	old = find_id(b, kind, id);
	if (old) {
		unlink_entry(b, old);
		entry_free(b, old);
	}
	link_entry(b, e);
	return OK;
}

int book_drop(struct book *b, enum book_kind kind, uint64_t id)
{
	struct entry *e;

	REQUIRE((unsigned)kind < BOOK_KINDS);
	e = find_id(b, kind, id);
	if (!e)
		return E_NOTFOUND;
	if (is_admin(&e->view) && !another_admin(b, e))
		return E_STATE;
	unlink_entry(b, e);
	entry_free(b, e);
	return OK;
}

/* ---- questions ---- */

static const struct book_entry *view_of(const struct entry *e)
{
	return e ? &e->view : NULL;
}

const struct book_entry *book_find(const struct book *b, enum book_kind kind,
				   uint64_t id)
{
	REQUIRE((unsigned)kind < BOOK_KINDS);
	return view_of(find_id(b, kind, id));
}

const struct book_entry *book_user(const struct book *b, struct bytes name)
{
	return view_of(find_name(b, BOOK_USER, name, (struct bytes){ 0 }));
}

const struct book_entry *book_token(const struct book *b,
				    const uint8_t hash[SECRET_LEN])
{
	return view_of(find_name(b, BOOK_TOKEN,
				 (struct bytes){ hash, SECRET_LEN },
				 (struct bytes){ 0 }));
}

const struct book_entry *book_key(const struct book *b,
				  struct bytes application, struct bytes key_id)
{
	return view_of(find_name(b, BOOK_KEY, application, key_id));
}

void book_each(const struct book *b, enum book_kind kind,
	       bool (*each)(void *ctx, const struct book_entry *), void *ctx)
{
	REQUIRE((unsigned)kind < BOOK_KINDS);
	for (struct list *n = b->kinds[kind].next; n != &b->kinds[kind];
	     n = n->next)
		if (!each(ctx, &entry_on(n)->view))
			return;
}

size_t book_count(const struct book *b, enum book_kind kind)
{
	REQUIRE((unsigned)kind < BOOK_KINDS);
	return b->counts[kind];
}

uint64_t book_next_id(const struct book *b)
{
	return b->next_id;
}

void book_self_check(const struct book *b)
{
	size_t all = 0;

	for (int kind = 0; kind < BOOK_KINDS; kind++) {
		uint64_t last = 0;
		size_t n = 0;

		for (struct list *on = b->kinds[kind].next;
		     on != &b->kinds[kind]; on = on->next) {
			const struct book_entry *v = &entry_on(on)->view;

			REQUIRE((int)v->kind == kind && v->id > last);
			REQUIRE(v->id < b->next_id);
			REQUIRE(find_name(b, v->kind, name_of(v),
					  second_name_of(v)) == entry_on(on));
			REQUIRE(kind != BOOK_KEY ||
				keys_of(b, v->key.application, NULL) <=
					APP_KEYS_PER_APP_MAX); /* I3 */
			last = v->id;                          /* I1, I2 */
			n++;
		}
		REQUIRE(n == b->counts[kind] && n <= b->limit);
		all += n;
	}
	REQUIRE(all == b->by_name.count);
}
