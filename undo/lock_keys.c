#include "undo/lock_keys.h"

#include "base/hash.h"

/* ---- one spelling for each number ---- */

/* sign, digits without zeros at the ends, and a power of ten. The digits may
 * have the point among them. */
struct decimal {
	bool negative;
	const uint8_t *first;
	const uint8_t *end;
	size_t n; /* digits between first and end */
	long power;
};

static bool is_digit(uint8_t c)
{
	return c >= '0' && c <= '9';
}

/* The exponent at r, 0 if there is none. */
static bool read_exponent(struct reader *r, long *out)
{
	bool negative = false;
	long e = 0;
	size_t n = 0;

	*out = 0;
	if (reader_left(r) == 0)
		return true;
	if ((*r->p | 0x20) != 'e')
		return false;
	r->p++;
	if (r->p < r->end && (*r->p == '-' || *r->p == '+'))
		negative = *r->p++ == '-';
	for (; r->p < r->end && is_digit(*r->p) && n < 9; n++)
		e = 10 * e + (*r->p++ - '0');
	*out = negative ? -e : e;
	return n > 0 && reader_left(r) == 0;
}

/* Cut zeros at both ends and make `power` say what they meant. */
static void trim(struct decimal *d, long fraction)
{
	const uint8_t *p;

	while (d->first < d->end && (*d->first == '0' || *d->first == '.'))
		d->first++;
	while (d->end > d->first && (d->end[-1] == '0' || d->end[-1] == '.')) {
		if (d->end[-1] == '0')
			d->power++;
		d->end--;
	}
	d->power -= fraction;
	d->n = 0;
	for (p = d->first; p < d->end; p++)
		d->n += *p != '.';
}

/* False for what is no decimal number: NaN, Infinity, anything else. */
static bool decimal_parse(struct bytes text, struct decimal *d)
{
	struct reader r = reader_of(text);
	long digits = 0, fraction = 0;
	bool point = false;

	*d = (struct decimal){ 0 };
	if (r.p < r.end && (*r.p == '-' || *r.p == '+'))
		d->negative = *r.p++ == '-';
	d->first = r.p;
	for (; r.p < r.end && (is_digit(*r.p) || (*r.p == '.' && !point));
	     r.p++) {
		if (*r.p == '.') {
			point = true;
			continue;
		}
		digits++;
		fraction += point;
	}
	d->end = r.p;
	if (digits == 0 || !read_exponent(&r, &d->power))
		return false;
	trim(d, fraction);
	return true;
}

static void put_digits(struct buf *out, const struct decimal *d, size_t from,
		       size_t to)
{
	size_t i = 0;

	for (const uint8_t *p = d->first; p < d->end; p++) {
		if (*p == '.')
			continue;
		if (i >= from && i < to)
			buf_put_u8(out, *p);
		i++;
	}
}

static void put_zeros(struct buf *out, long n)
{
	while (n-- > 0)
		buf_put_char(out, '0');
}

/* Which form is taken depends on the number alone, so equal numbers get
 * equal texts. */
static void put_decimal(struct buf *out, const struct decimal *d)
{
	long point = (long)d->n + d->power; /* digits in front of it */

	if (d->n == 0) {
		buf_put_char(out, '0');
		return;
	}
	if (d->negative)
		buf_put_char(out, '-');
	if (d->power >= 0 && d->power <= 40) {
		put_digits(out, d, 0, d->n);
		put_zeros(out, d->power);
	} else if (d->power < 0 && point > 0) {
		put_digits(out, d, 0, (size_t)point);
		buf_put_char(out, '.');
		put_digits(out, d, (size_t)point, d->n);
	} else if (d->power < 0 && point > -40) {
		buf_put_text(out, "0.");
		put_zeros(out, -point);
		put_digits(out, d, 0, d->n);
	} else {
		put_digits(out, d, 0, d->n);
		buf_printf(out, "e%ld", d->power);
	}
}

static bool is_number(enum value_type type)
{
	return type == VALUE_INT || type == VALUE_NUMBER || type == VALUE_FLOAT;
}

static int put_number(struct buf *out, struct bytes text)
{
	struct decimal d;
	struct buf canonical;
	int rc;

	if (!decimal_parse(text, &d)) {
		lock_key_value(out, text);
		return OK;
	}
	buf_init(&canonical, out->mem);
	put_decimal(&canonical, &d);
	rc = buf_error(&canonical);
	if (rc == OK)
		lock_key_value(out, buf_bytes(&canonical));
	buf_fini(&canonical);
	return rc;
}

/* ---- keys ---- */

static int put_value(struct buf *out, const struct table *t,
		     const struct row *row, size_t i)
{
	struct value v = row_key(t, row, i);

	if (row->lock_text && row->lock_text[i].data)
		lock_key_value(out, row->lock_text[i]);
	else if (t->columns[t->key[i]].folds)
		return E_UNSUPPORTED;
	else if (is_number(v.type))
		return put_number(out, v.data);
	else
		lock_key_value(out, v.data);
	return OK;
}

int lock_keys_put(struct buf *out, struct bytes resource, const struct table *t,
		  const struct row *row)
{
	struct buf name;
	int rc;

	buf_init(&name, out->mem);
	table_put_name(&name, t);
	rc = buf_error(&name);
	if (rc == OK)
		lock_key_begin(out, resource, buf_bytes(&name));
	buf_fini(&name);
	for (size_t i = 0; rc == OK && i < t->n_key; i++)
		rc = put_value(out, t, row, i);
	return rc == OK ? buf_error(out) : rc;
}

struct seen_key {
	struct map_node node;
	struct bytes key;
};

int lock_keys_init(struct lock_keys *k, struct arena *arena,
		   struct bytes resource)
{
	struct bytes copy = arena_bytes(arena, resource);

	*k = (struct lock_keys){ .arena = arena, .resource = copy };
	if (!copy.data)
		return E_NOMEM;
	return map_init(&k->seen, arena->mem);
}

void lock_keys_fini(struct lock_keys *k)
{
	map_fini(&k->seen);
}

static bool is_seen(const struct lock_keys *k, struct bytes key, uint64_t hash)
{
	struct map_node *node = map_find(&k->seen, hash);

	for (; node; node = map_find_next(node))
		if (bytes_equal(CONTAINER_OF(node, struct seen_key, node)->key,
				key))
			return true;
	return false;
}

static bool reserve(struct lock_keys *k)
{
	size_t cap = k->cap ? 2 * k->cap : 16;
	struct bytes *keys;

	if (k->n < k->cap)
		return true;
	keys = arena_array(k->arena, cap, sizeof *keys);
	if (!keys)
		return false;
	if (k->n)
		memcpy(keys, k->keys, k->n * sizeof *keys);
	k->keys = keys;
	k->cap = cap;
	return true;
}

static int add_key(struct lock_keys *k, struct bytes key)
{
	uint64_t hash = hash_bytes(0, key);
	struct seen_key *seen;

	if (is_seen(k, key, hash))
		return OK;
	seen = arena_alloc(k->arena, sizeof *seen);
	if (!seen || !reserve(k))
		return E_NOMEM;
	seen->key = arena_bytes(k->arena, key);
	if (!seen->key.data)
		return E_NOMEM;
	k->keys[k->n++] = seen->key;
	map_insert(&k->seen, &seen->node, hash);
	return OK;
}

int lock_keys_add(struct lock_keys *k, const struct image *img)
{
	struct buf key;
	int rc = OK;

	buf_init(&key, k->arena->mem);
	for (size_t i = 0; rc == OK && i < img->n_rows; i++) {
		buf_clear(&key);
		rc = lock_keys_put(&key, k->resource, img->table,
				   &img->rows[i]);
		if (rc == OK)
			rc = add_key(k, buf_bytes(&key));
	}
	buf_fini(&key);
	return rc;
}
