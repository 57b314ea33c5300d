#ifndef BASE_METRIC_H
#define BASE_METRIC_H

/*
 * Histograms, and the text in which Prometheus reads metrics (exposition
 * format 0.0.4).
 *
 * Rules
 * -----
 *  - Values are integers of a small unit, e.g. microseconds. They are written
 *    as decimals of the base unit: value / per, `per` a power of ten up to
 *    10^9. So nothing is ever rounded.
 *  - metric_head() once, then every sample of that name.
 *  - Names and label names are literals that need no escaping; help and label
 *    values are escaped.
 *
 * Pure. One owner at a time.
 */

#include "base/buf.h"

#define HISTOGRAM_BOUNDS_MAX 24

struct histogram {
	const uint64_t *bounds; /* rising; a value equal to one is below it */
	size_t n_bounds;
	uint64_t counts[HISTOGRAM_BOUNDS_MAX + 1]; /* the last: above all */
	uint64_t sum;
};

/* Empty. The bounds are borrowed for as long as it lives. */
void histogram_init(struct histogram *h, const uint64_t bounds[], size_t n);
void histogram_add(struct histogram *h, uint64_t value);
uint64_t histogram_count(const struct histogram *h);

enum metric_type { METRIC_COUNTER, METRIC_GAUGE, METRIC_HISTOGRAM };

struct metric_label {
	const char *name;
	struct bytes value;
};

/* HELP and TYPE. */
void metric_head(struct buf *out, const char *name, enum metric_type type,
		 const char *help);

/* One sample; labels end at the first without a name, or after two. */
#define METRIC_LABELS 2
void metric_put(struct buf *out, const char *name,
		const struct metric_label labels[METRIC_LABELS], uint64_t value,
		uint64_t per);

/* The buckets (with those below added), the sum and the count. */
void metric_put_histogram(struct buf *out, const char *name,
			  const struct metric_label labels[METRIC_LABELS],
			  const struct histogram *h, uint64_t per);

#endif
