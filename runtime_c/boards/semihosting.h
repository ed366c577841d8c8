/* Requests to the debugger, here QEMU: Arm's "Semihosting for AArch32 and AArch64", also used on RISC-V. */
#ifndef TINYCC_SEMIHOSTING_H
#define TINYCC_SEMIHOSTING_H

#include <stdint.h>

enum { SYS_OPEN = 0x01, SYS_WRITE0 = 0x04, SYS_WRITE = 0x05, SYS_READ = 0x06, SYS_EXIT_EXTENDED = 0x20 };

/* The trap itself; each architecture's start-up file has it. */
uintptr_t semihosting_call(uint32_t request, const void *parameters);

/* Prints a text and a number in hexadecimal, for fault handlers. */
void semihosting_report(const char *text, uint32_t value);

#endif
