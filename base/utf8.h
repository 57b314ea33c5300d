#ifndef BASE_UTF8_H
#define BASE_UTF8_H

/*
 * UTF-8 as RFC 3629 has it: no overlong form, no surrogate, nothing above
 * U+10FFFF.
 *
 * Pure.
 */

#include "base/base.h"

/* Length of the character at the beginning of b (1 to 4), and which one it is;
 * 0 if b is empty or does not begin with a well-formed one. */
size_t utf8_decode(struct bytes b, uint32_t *code);

/* Every byte belongs to a well-formed character. */
bool utf8_valid(struct bytes b);

#endif
