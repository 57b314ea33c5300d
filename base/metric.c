#include "base/metric.h"

/* ---- histograms ---- */

void histogram_init(struct histogram *h, const uint64_t bounds[], size_t n)
{
	REQUIRE(n <= HISTOGRAM_BOUNDS_MAX);
	for (size_t i = 1; i < n; i++)
		REQUIRE(bounds[i - 1] < bounds[i]);
	*h = (struct histogram){ .bounds = bounds, .n_bounds = n };
}

void histogram_add(struct histogram *h, uint64_t value)
{
	size_t i = 0;

	while (i < h->n_bounds && value > h->bounds[i])
		i++;
	h->counts[i]++;
	h->sum += value;
}

uint64_t histogram_count(const struct histogram *h)
{
	uint64_t n = 0;

	for (size_t i = 0; i <= h->n_bounds; i++)
		n += h->counts[i];
	return n;
}

/* ---- text ---- */

/* A label value is in quotes, help is not. */
static void put_escaped(struct buf *out, struct bytes text, bool quoted)
{
	for (size_t i = 0; i < text.len; i++) {
		char c = (char)text.data[i];

		if (c == '\\')
			buf_put_text(out, "\\\\");
		else if (c == '\n')
			buf_put_text(out, "\\n");
		else if (c == '"' && quoted)
			buf_put_text(out, "\\\"");
		else
			buf_put_char(out, c);
	}
}

static void put_decimal(struct buf *out, uint64_t value, uint64_t per)
{
	uint64_t rest = value % per;

	buf_printf(out, "%llu", (unsigned long long)(value / per));
	if (rest == 0)
		return;
	buf_put_char(out, '.');
	while (rest > 0) {
		per /= 10;
		buf_put_char(out, (char)('0' + rest / per));
		rest %= per;
	}
}

void metric_head(struct buf *out, const char *name, enum metric_type type,
		 const char *help)
{
	static const char *const types[] = {
		[METRIC_COUNTER] = "counter",
		[METRIC_GAUGE] = "gauge",
		[METRIC_HISTOGRAM] = "histogram",
	};

	buf_printf(out, "# HELP %s ", name);
	put_escaped(out, bytes_of(help), false);
	buf_printf(out, "\n# TYPE %s %s\n", name, types[type]);
}

/* Returns how many it wrote, without the closing brace. */
static size_t put_labels(struct buf *out, const struct metric_label labels[])
{
	size_t n = 0;

	while (labels && n < METRIC_LABELS && labels[n].name) {
		buf_printf(out, "%c%s=\"", n == 0 ? '{' : ',', labels[n].name);
		put_escaped(out, labels[n].value, true);
		buf_put_char(out, '"');
		n++;
	}
	return n;
}

void metric_put(struct buf *out, const char *name,
		const struct metric_label labels[METRIC_LABELS], uint64_t value,
		uint64_t per)
{
	buf_put_text(out, name);
	if (put_labels(out, labels) > 0)
		buf_put_char(out, '}');
	buf_put_char(out, ' ');
	put_decimal(out, value, per);
	buf_put_char(out, '\n');
}

static void put_bucket(struct buf *out, const char *name,
		       const struct metric_label labels[],
		       const struct histogram *h, size_t i, uint64_t per)
{
	buf_printf(out, "%s_bucket", name);
	buf_put_char(out, put_labels(out, labels) > 0 ? ',' : '{');
	buf_put_text(out, "le=\"");
	if (i < h->n_bounds)
		put_decimal(out, h->bounds[i], per);
	else
		buf_put_text(out, "+Inf");
}

static void put_part(struct buf *out, const char *name, const char *part,
		     const struct metric_label labels[], uint64_t value,
		     uint64_t per)
{
	buf_printf(out, "%s_%s", name, part);
	metric_put(out, "", labels, value, per);
}

void metric_put_histogram(struct buf *out, const char *name,
			  const struct metric_label labels[METRIC_LABELS],
			  const struct histogram *h, uint64_t per)
{
	uint64_t below = 0;

	for (size_t i = 0; i <= h->n_bounds; i++) {
		below += h->counts[i];
		put_bucket(out, name, labels, h, i, per);
		buf_printf(out, "\"} %llu\n", (unsigned long long)below);
	}
	put_part(out, name, "sum", labels, h->sum, per);
	put_part(out, name, "count", labels, below, 1);
}
