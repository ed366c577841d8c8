/* CMSDK timer 0 of the AN505 image, at its secure address: 20 MHz. */
#ifndef TINYCC_CLOCK_AN505_H
#define TINYCC_CLOCK_AN505_H

#define CLOCK_BASE 0x50000000u
#define CLOCK_QUARTERS 200u
#include "clock_cmsdk.h"

#endif
