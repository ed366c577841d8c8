/* Reset and faults of Cortex-M boards. */
#include "port.h"
#include "semihosting.h"

extern uint32_t data_load[], data_start[], data_end[], bss_start[], bss_end[], stack_top[];

int main(void);
void reset_handler(void);
void fault_handler(void);
void report_fault(const uint32_t *frame);

__attribute__((naked, noinline)) uintptr_t semihosting_call(uint32_t request, const void *parameters)
{
    (void)request;
    (void)parameters;
    __asm volatile("bkpt 0xAB\n\tbx lr");
}

__attribute__((noreturn)) void reset_handler(void)
{
#if defined(__ARM_FP)
    /* CPACR: full access to coprocessors 10 and 11, the floating-point and vector unit. */
    *(volatile uint32_t *)0xE000ED88u |= 0xFu << 20;
    __asm volatile("dsb\n\tisb" ::: "memory");
#endif
#if defined(__ARM_FEATURE_MVE)
    /* CCR: low-overhead loops on. */
    *(volatile uint32_t *)0xE000ED14u |= 1u << 19;
    __asm volatile("dsb\n\tisb" ::: "memory");
#endif
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
__attribute__((naked)) void fault_handler(void)
{
    __asm volatile("mov r0, sp\n\t"
                   "ldr r1, =stack_top\n\t"
                   "mov sp, r1\n\t"
                   "ldr r1, =report_fault\n\t"
                   "bx r1\n\t"
                   ".ltorg");
}

/* frame: r0-r3, r12, lr, pc, xpsr as the processor pushed them. */
__attribute__((noreturn)) void report_fault(const uint32_t *frame)
{
    /* A frame outside of memory would fault again while it is read. */
    const int sound = frame >= bss_start && frame + 8 <= stack_top;
    semihosting_report("fault at pc 0x", sound ? frame[6] : 0);
    semihosting_report("called from 0x", sound ? frame[5] : 0);
#if !defined(__ARM_ARCH_6M__)
    semihosting_report("CFSR 0x", *(volatile uint32_t *)0xE000ED28u);
#endif
    port_exit(PORT_FAULT);
    for (;;) {
    }
}

typedef void (*handler)(void);

/* The first word is the stack pointer; then reset, NMI and the faults. Interrupts stay off. */
__attribute__((section(".vectors"), used)) static const struct {
    uint32_t *stack;
    handler reset;
    handler faults[14];
} vectors = {
    stack_top,
    reset_handler,
    {fault_handler, fault_handler, fault_handler, fault_handler, fault_handler, fault_handler, 0, 0, 0,
     fault_handler, fault_handler, 0, fault_handler, fault_handler},
};
