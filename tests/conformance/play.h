#ifndef TESTS_CONFORMANCE_PLAY_H
#define TESTS_CONFORMANCE_PLAY_H

/*
 * One case on its database, three times: past Treaty, through Treaty with a
 * global rollback, through Treaty with a global commit.
 *
 *   content after the statement = content after the twin's
 *   rows, counts and insert id  = the twin's
 *   content after the rollback  = content before, byte by byte
 *   content after the commit    = the twin's
 */

#include "tests/conformance/ground.h"

/* What is wrong goes to *why; empty: nothing. The ground is as before. */
void play(struct ground *g, const struct conf_case *c, struct buf *why);

#endif
