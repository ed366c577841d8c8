/* The port of the harness to any board with semihosting. */
#include "semihosting.h"

#include "port.h"

#define MODE_READ_BINARY 1u
#define MODE_WRITE_BINARY 5u
#define STOPPED_APPLICATION_EXIT 0x20026u

int32_t port_open(const char *name, int writing)
{
    uintptr_t length = 0;
    while (name[length] != '\0') {
        ++length;
    }
    const uintptr_t parameters[3] = {(uintptr_t)name, writing ? MODE_WRITE_BINARY : MODE_READ_BINARY, length};
    return (int32_t)semihosting_call(SYS_OPEN, parameters);
}

uint32_t port_read(int32_t file, void *to, uint32_t bytes)
{
    const uintptr_t parameters[3] = {(uintptr_t)file, (uintptr_t)to, bytes};
    return (uint32_t)semihosting_call(SYS_READ, parameters);
}

uint32_t port_write(int32_t file, const void *from, uint32_t bytes)
{
    const uintptr_t parameters[3] = {(uintptr_t)file, (uintptr_t)from, bytes};
    return (uint32_t)semihosting_call(SYS_WRITE, parameters);
}

void port_exit(int32_t code)
{
    const uintptr_t parameters[2] = {STOPPED_APPLICATION_EXIT, (uintptr_t)code};
    semihosting_call(SYS_EXIT_EXTENDED, parameters);
    for (;;) {
    }
}

void semihosting_report(const char *text, uint32_t value)
{
    char digits[12];
    for (int32_t i = 0; i < 8; ++i) {
        digits[i] = "0123456789abcdef"[(value >> (28 - 4 * i)) & 15u];
    }
    digits[8] = ' ';
    digits[9] = '\0';
    semihosting_call(SYS_WRITE0, text);
    semihosting_call(SYS_WRITE0, digits);
}
