/* Reset and traps of RISC-V boards, machine mode. */
#include "port.h"
#include "semihosting.h"

extern uint32_t data_load[], data_start[], data_end[], bss_start[], bss_end[];

int main(void);
void reset_handler(void);
void prepare(void);
void trap_handler(void);
void report_trap(uint32_t cause, uint32_t pc, uint32_t value);

/* The three instructions are the request; they must be uncompressed and within one page. */
__attribute__((naked, noinline, aligned(16))) uintptr_t semihosting_call(uint32_t request,
                                                                         const void *parameters)
{
    (void)request;
    (void)parameters;
    __asm volatile(".option push\n\t"
                   ".option norvc\n\t"
                   "slli zero, zero, 0x1f\n\t"
                   "ebreak\n\t"
                   "srai zero, zero, 7\n\t"
                   "ret\n\t"
                   ".option pop");
}

__attribute__((naked, section(".vectors"), used)) void reset_handler(void)
{
    __asm volatile("la sp, stack_top\n\t"
                   "la tp, thread_start\n\t"
                   "la t0, trap_handler\n\t"
                   "csrw mtvec, t0\n\t"
                   "j prepare");
}

__attribute__((noreturn)) void prepare(void)
{
    const uint32_t *from = data_load;
    for (volatile uint32_t *to = data_start; to < data_end; ++to) {
        *to = *from++;
    }
    for (volatile uint32_t *to = bss_start; to < bss_end; ++to) {
        *to = 0;
    }
    main();
    for (;;) {
    }
}

/* The stack may be what failed: the report runs on a fresh one. */
__attribute__((naked, aligned(4))) void trap_handler(void)
{
    __asm volatile("la sp, stack_top\n\t"
                   "csrr a0, mcause\n\t"
                   "csrr a1, mepc\n\t"
                   "csrr a2, mtval\n\t"
                   "j report_trap");
}

__attribute__((noreturn)) void report_trap(uint32_t cause, uint32_t pc, uint32_t value)
{
    semihosting_report("fault at pc 0x", pc);
    semihosting_report("mcause 0x", cause);
    semihosting_report("mtval 0x", value);
    port_exit(PORT_FAULT);
    for (;;) {
    }
}
