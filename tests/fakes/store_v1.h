#ifndef TESTS_FAKES_STORE_V1_H
#define TESTS_FAKES_STORE_V1_H

/* A file of the store's format 1, as the program of that time left it. */

/* Make it; vfs NULL: on the real disk. */
void store_v1_make(const char *path, const char *vfs);

#endif
