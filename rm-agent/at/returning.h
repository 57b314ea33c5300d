#ifndef RM_AGENT_AT_RETURNING_H
#define RM_AGENT_AT_RETURNING_H

/*
 * The application's statement with a RETURNING of ours behind it: its after
 * image without another round trip.
 *
 * Rules
 * -----
 *  - PostgreSQL, with a conflict clause: one more column says whether a row is
 *    new (xmax = 0), since an INSERT … ON CONFLICT DO UPDATE does not tell.
 */

#include "rm-agent/at/engine.h"

/* Run it with RETURNING; at_run.can_return must be true. Rows go to *img.
 * Codes as work_run() and image_read(). */
MUST_CHECK int returning_run(struct work *w, struct image *img);
/* The same for text that is changed already: RETURNING is put at its end. */
MUST_CHECK int returning_run_text(struct work *w, struct bytes text,
				  struct image *img);

/*
 * A statement that has a RETURNING of its own: ours goes in front of it and is
 * hidden from the application; at_run.split must not be AT_SPLIT_NO. With
 * AT_SPLIT_TEXT the rows of *img have their keys only: read them again.
 */
MUST_CHECK int returning_run_own(struct work *w, struct image *img);

/*
 * PostgreSQL: an INSERT whose result must stay that of an INSERT without
 * RETURNING. The rows' keys go to a temporary table and are read from it.
 */
MUST_CHECK int returning_run_aside(struct work *w, struct image *img);

/* E_AGAIN: a row of *img was there before and is not in w->before, so it came
 * in between. */
MUST_CHECK int returning_check_fresh(struct work *w, const struct image *img);

#endif
