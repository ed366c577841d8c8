/* The port of the harness to a PC. */
#include "port.h"

#include <stdio.h>
#include <stdlib.h>

#define MAX_FILES 4
static FILE *files[MAX_FILES];

int32_t port_open(const char *name, int writing)
{
    for (int32_t i = 0; i < MAX_FILES; ++i) {
        if (files[i] == NULL) {
            files[i] = fopen(name, writing ? "wb" : "rb");
            return files[i] == NULL ? -1 : i;
        }
    }
    return -1;
}

uint32_t port_read(int32_t file, void *to, uint32_t bytes)
{
    return bytes - (uint32_t)fread(to, 1, bytes, files[file]);
}

uint32_t port_write(int32_t file, const void *from, uint32_t bytes)
{
    return bytes - (uint32_t)fwrite(from, 1, bytes, files[file]);
}

void port_exit(int32_t code)
{
    exit(code);
}
