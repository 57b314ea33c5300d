#include "tc/door/allow_list.h"

#define NET "net:"

struct entry {
	struct url url;
	struct bytes suffix;    /* ".svc.internal" of "*.svc.internal" */
	struct address literal; /* of a URL with an address in numbers */
	bool any_path;
};

struct allow_list {
	const struct mem *mem;
	struct arena arena;
	struct entry *entries;
	size_t n_entries;
	struct address_range *nets;
	size_t n_nets;
};

/* ---- reading ---- */

static bool next_word(struct bytes *rest, struct bytes *word)
{
	size_t n = 0;

	while (rest->len > 0 && strchr(" \t\n", rest->data[0])) {
		rest->data++;
		rest->len--;
	}
	while (n < rest->len && !strchr(" \t\n", rest->data[n]))
		n++;
	*word = (struct bytes){ rest->data, n };
	rest->data += n;
	rest->len -= n;
	return n > 0;
}

static int refuse(struct buf *why, struct bytes word, const char *text)
{
	buf_put_text(why, "http_targets: ");
	json_put_text(why, word);
	buf_printf(why, ": %s", text);
	return E_INVALID;
}

static bool is_net(struct bytes word)
{
	return word.len > sizeof NET - 1 &&
	       memcmp(word.data, NET, sizeof NET - 1) == 0;
}

static int add_net(struct allow_list *l, struct bytes word, struct buf *why)
{
	struct address_range *r = &l->nets[l->n_nets];
	struct bytes range = { word.data + sizeof NET - 1,
			       word.len - (sizeof NET - 1) };

	if (address_range_parse(r, range) != OK)
		return refuse(why, word,
			      "this is not a range of addresses as "
			      "net:10.0.0.0/8 or net:fd00:1::/32");
	if (!address_range_is_own(r))
		return refuse(why, word,
			      "it must lie in one range of private, loopback "
			      "or other special addresses; public ones need "
			      "no entry");
	l->n_nets++;
	return OK;
}

/* Where a "*." stands in front of the host's name; 0 if it does not. */
static size_t find_star(struct bytes text)
{
	size_t at = 7;

	if (!url_is_http(text))
		return 0;
	at += text.data[4] != ':'; /* https */
	if (text.len < at + 2 || text.data[at] != '*' ||
	    text.data[at + 1] != '.')
		return 0;
	return at;
}

/* A copy that url_parse() understands, with "x.b" for the host "*.b". */
static int copy_url(struct allow_list *l, struct bytes word, size_t star,
		    struct bytes *out)
{
	char *copy = arena_text(&l->arena, word);

	if (!copy)
		return E_NOMEM;
	if (star)
		copy[star] = 'x';
	*out = (struct bytes){ (const uint8_t *)copy, word.len };
	return OK;
}

static int add_url(struct allow_list *l, struct bytes word, struct buf *why)
{
	struct entry *e = &l->entries[l->n_entries];
	size_t star = find_star(word);
	const char *wrong;
	struct bytes text;

	if (copy_url(l, word, star, &text) != OK)
		return E_NOMEM;
	if (url_parse(&e->url, text, &wrong) != OK)
		return refuse(why, word, wrong);
	if (memchr(text.data, '?', text.len))
		return refuse(why, word,
			      "an entry has no query; what is called may have "
			      "any");
	if ((e->url.v4 || e->url.v6) &&
	    address_parse(&e->literal, e->url.host) != OK)
		return refuse(why, word, "its host is not an address");
	if (star)
		e->suffix = (struct bytes){ e->url.host.data + 1,
					    e->url.host.len - 1 };
	/* "http://a" and "http://a/" are the same. */
	e->any_path = e->url.path.len == 1;
	l->n_entries++;
	return OK;
}

static int add(struct allow_list *l, struct bytes word, struct buf *why)
{
	if (l->n_entries + l->n_nets == ALLOW_LIST_MAX) {
		buf_printf(why, "http_targets: there may be %d entries",
			   ALLOW_LIST_MAX);
		return E_LIMIT;
	}
	if (is_net(word))
		return add_net(l, word, why);
	return add_url(l, word, why);
}

static int read_all(struct allow_list *l, struct bytes text, struct buf *why)
{
	struct bytes word;
	int rc = OK;

	l->entries = arena_array(&l->arena, ALLOW_LIST_MAX, sizeof *l->entries);
	l->nets = arena_array(&l->arena, ALLOW_LIST_MAX, sizeof *l->nets);
	if (!l->entries || !l->nets)
		return E_NOMEM;
	while (rc == OK && next_word(&text, &word))
		rc = add(l, word, why);
	return rc;
}

int allow_list_new(struct allow_list **out, const struct mem *mem,
		   struct bytes entries, struct buf *why)
{
	struct allow_list *l = mem_alloc(mem, sizeof *l);
	int rc;

	if (!l)
		return E_NOMEM;
	l->mem = mem;
	arena_init(&l->arena, mem, 0);
	rc = read_all(l, entries, why);
	if (rc != OK) {
		allow_list_free(l);
		return rc;
	}
	*out = l;
	return OK;
}

void allow_list_free(struct allow_list *l)
{
	if (!l)
		return;
	arena_fini(&l->arena);
	mem_free(l->mem, l);
}

/* ---- URLs ---- */

static uint8_t lower(uint8_t c)
{
	return c >= 'A' && c <= 'Z' ? (uint8_t)(c | 0x20) : c;
}

static bool ends_with(struct bytes name, struct bytes suffix)
{
	size_t more = name.len - suffix.len;

	if (name.len <= suffix.len)
		return false;
	for (size_t i = 0; i < suffix.len; i++)
		if (lower(name.data[more + i]) != lower(suffix.data[i]))
			return false;
	return true;
}

static bool same_host(const struct entry *e, const struct url *url)
{
	struct address a;

	if (e->url.tls != url->tls || e->url.port != url->port)
		return false;
	if (url->v4 || url->v6)
		return (e->url.v4 || e->url.v6) &&
		       address_parse(&a, url->host) == OK &&
		       address_equal(&a, &e->literal);
	if (e->suffix.len > 0)
		return ends_with(url->host, e->suffix);
	return url_same_origin(&e->url, url);
}

static bool fits(const struct entry *e, const struct url *url)
{
	struct bytes prefix = e->url.path;
	size_t n = prefix.len;

	if (!same_host(e, url))
		return false;
	if (e->any_path)
		return true;
	if (url->path.len < n || memcmp(url->path.data, prefix.data, n) != 0)
		return false;
	return prefix.data[n - 1] == '/' || url->path.len == n ||
	       url->path.data[n] == '/';
}

static const struct entry *find(const struct allow_list *l,
				const struct url *url)
{
	for (size_t i = 0; l && i < l->n_entries; i++)
		if (fits(&l->entries[i], url))
			return &l->entries[i];
	return NULL;
}

static void put_url(struct buf *out, const struct url *url)
{
	url_put_origin(out, url);
	buf_put(out, url->path);
}

int allow_list_url(const struct allow_list *l, const struct url *url,
		   struct buf *why)
{
	if (find(l, url))
		return OK;
	if (!l || l->n_entries == 0) {
		buf_put_text(why, "treatyd calls no URLs: its setting "
				  "http_targets is empty; to allow this one "
				  "add ");
	} else {
		put_url(why, url);
		buf_put_text(why, " is not allowed: no entry of treatyd's "
				  "setting http_targets fits it; to allow it "
				  "add ");
	}
	url_put_origin(why, url);
	buf_put_text(why, "/ to it and send treatyd SIGHUP");
	return E_DENIED;
}

/* ---- addresses ---- */

static void put_address(struct buf *out, const struct address *a)
{
	if (!a->v6) {
		buf_printf(out, "%u.%u.%u.%u", a->bits[0], a->bits[1],
			   a->bits[2], a->bits[3]);
		return;
	}
	for (size_t i = 0; i < 16; i += 2)
		buf_printf(out, "%s%x", i > 0 ? ":" : "",
			   (unsigned)a->bits[i] << 8 | a->bits[i + 1]);
}

static bool in_net(const struct allow_list *l, const struct address *a)
{
	for (size_t i = 0; l && i < l->n_nets; i++)
		if (address_in(&l->nets[i], a))
			return true;
	return false;
}

static int refuse_address(const struct url *url, const struct address *a,
			  enum address_kind kind, struct buf *why)
{
	buf_put(why, url->host);
	buf_put_text(why, " leads to ");
	put_address(why, a);
	if (kind == ADDRESS_NEVER) {
		buf_put_text(why, ", which is no machine's address");
	} else {
		buf_put_text(why, ", which is not a public address; if that "
				  "is meant add net:");
		put_address(why, a);
		buf_put_text(why, ", or its range, to treatyd's setting "
				  "http_targets and send treatyd SIGHUP");
	}
	return E_DENIED;
}

int allow_list_address(const struct allow_list *l, const struct url *url,
		       const struct address *a, struct buf *why)
{
	enum address_kind kind = address_kind(a);
	struct address literal;

	if (url->v4 || url->v6) {
		if (address_parse(&literal, url->host) == OK &&
		    address_equal(&literal, a))
			return OK;
		return refuse_address(url, a, ADDRESS_NEVER, why);
	}
	if (kind == ADDRESS_PUBLIC || (kind == ADDRESS_OWN && in_net(l, a)))
		return OK;
	return refuse_address(url, a, kind, why);
}

/* ---- participants ---- */

static int ask_each(const struct allow_list *l, const struct participant *p,
		    struct buf *why)
{
	const struct bytes urls[] = { p->commit, p->rollback, p->check };
	struct url url;
	int rc = OK;

	for (size_t i = 0; i < ARRAY_LEN(urls) && rc == OK; i++) {
		if (urls[i].len == 0)
			continue;
		REQUIRE(url_parse(&url, urls[i], NULL) == OK);
		rc = allow_list_url(l, &url, why);
	}
	return rc;
}

int allow_list_participant(const struct allow_list *l, struct participant *out,
			   struct arena *arena, struct bytes document,
			   struct buf *origin, struct buf *why)
{
	int rc = participant_read(out, arena, document, why);

	if (rc == OK)
		rc = ask_each(l, out, why);
	if (rc == OK && participant_origin(origin, out) == OK)
		rc = buf_error(origin);
	return rc;
}
