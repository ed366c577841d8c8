/* Elements that lie in the same bytes as those of another type that are written meanwhile: accesses to them
 * are in the order in which they are written down, whatever the types. */
#ifndef TINYCC_ANY_TYPE_H
#define TINYCC_ANY_TYPE_H

#include <stdint.h>

#if defined(__GNUC__)
#define TINYCC_MAY_ALIAS __attribute__((may_alias))
#else
#define TINYCC_MAY_ALIAS
#endif

typedef int16_t TINYCC_MAY_ALIAS tinycc_any_int16;
typedef int32_t TINYCC_MAY_ALIAS tinycc_any_int32;

#endif
