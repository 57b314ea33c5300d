#ifndef TESTS_FAKES_STORE_OLD_H
#define TESTS_FAKES_STORE_OLD_H

/* Files of the store's older formats, as the programs of their time left them:
 * store_vN.sql. */

#define STORE_OLD_FIRST 1
#define STORE_OLD_LAST  2

/* Make it; vfs NULL: on the real disk. */
void store_old_make(int format, const char *path, const char *vfs);

#endif
