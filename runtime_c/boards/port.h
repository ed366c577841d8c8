/* What the harness needs from the machine it runs on: files, a way out, and nothing else. */
#ifndef TINYCC_PORT_H
#define TINYCC_PORT_H

#include <stdint.h>

/* Exit codes; tinycc/run/harness.py knows them. */
enum {
    PORT_DONE = 0,
    PORT_FAULT = 90,          /* the processor faulted */
    PORT_STACK_OVERFLOW = 91, /* the stack grew into the data below it */
    PORT_FILE_ERROR = 92,     /* a file could not be opened, or ended within a case */
    PORT_OUTSIDE_ARENA = 93,  /* the model wrote beside its arena */
    PORT_WRONG_ROW = 94       /* the model was done before the last row of its input, or not with it */
};

int32_t port_open(const char *name, int writing);
/* Both return the number of bytes that were not transferred. */
uint32_t port_read(int32_t file, void *to, uint32_t bytes);
uint32_t port_write(int32_t file, const void *from, uint32_t bytes);
void port_exit(int32_t code);

#endif
